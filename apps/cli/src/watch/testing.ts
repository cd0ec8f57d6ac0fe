import type { JobView, LiveRound, Round, Status } from '@starling/control';
import type { Look } from './look.ts';

/** A job and a daemon for tests of what is drawn. */
export const ID = 'ab'.repeat(32);

export const LOOK: Look = { columns: 80, rows: 24, unicode: true, colour: false };

export const round = (number: number, extra: Partial<Round> = {}): Round => ({
  ...{ round: number, restarts: 0, attempt: 0, participants: 5, survivors: 4 },
  ...{ loss: 2 / number, accuracy: 1 - 0.9 / number, examples: 100, metrics: {}, settled: true },
  stateHash: `${number}`.padEnd(64, '0'),
  certificate: `${number}`.padEnd(64, 'f'),
  ...extra,
});

export const rounds = (count: number): Round[] =>
  Array.from({ length: count }, (_, i) => round(i + 1));

export const job = (extra: Partial<JobView> = {}): JobView => ({
  ...{ id: ID, name: 'scans', launcher: '12D3KooWlauncher', standing: 'participating' },
  ...{ detail: 'data set a', phase: 'training', progress: null, suspects: [], privacy: null },
  ...{ live: null, rounds: [], roundsWanted: 30, secondsPerRound: 3.2, stateHash: null },
  ...extra,
});

export const live = (extra: Partial<LiveRound> = {}): LiveRound => ({
  ...{ round: 13, restarts: 0, attempt: 0, phase: 'shares' },
  phases: [
    { phase: 'training', startedAt: 1000, seconds: 1.5 },
    { phase: 'joining', startedAt: 2500, seconds: 0.25 },
    { phase: 'shares', startedAt: 2750, seconds: null },
  ],
  ...{ joined: null, roster: ['a', 'b', 'c'], survivors: null, cells: [], convicted: [] },
  ...{ chunks: { total: 8, sent: 3, summed: 2, fetched: 1 }, lost: [] },
  ...extra,
});

export const status = (extra: Partial<Status['resources']> = {}): Status => ({
  ...{ peerId: '12D3KooWx', version: '0.1.0', network: 'n', addresses: [], peers: ['b', 'c'] },
  ...{ routingTable: 0, bootstrap: [], jobs: 1, training: [], warnings: [], dataSets: 1 },
  ...{
    uptimeSeconds: 1.5,
    stateDirectory: '/tmp/x',
    apiUrl: null,
    pid: 7,
    events: [],
    checkpoints: null,
  },
  eventLoopDelayMs: { p99: 11, max: 20 },
  resources: {
    paused: [],
    upload: { perSecond: 2048, max: null, total: 4096 },
    download: { perSecond: 1024, max: null, total: 1024 },
    disk: { bytes: 5, max: 10, pinned: 2, blobs: 3, evicted: 1 },
    ...{ memory: { bytes: 7, max: null }, hours: [], othersLoad: null, memoryPressure: null },
    ...{ trainer: { cpuThreads: 1, cpuShare: 1 }, container: { memory: null, cpus: null } },
    ...extra,
  },
});
