import type { ServedView } from '@starling/control';
import type { JobId, PeerId } from '@starling/core';
import type { Notice } from '@starling/rounds';
import type { Metrics } from '../metrics.ts';
import { RoundTimeline, type TimelineListener } from '../timeline.ts';
import type { JobSample, TelemetryView } from '../view.ts';

export const JOB = 'ab'.repeat(32) as JobId;
export const PEERS = ['peer-a', 'peer-b', 'peer-c', 'peer-d'] as PeerId[];
export const SELF = PEERS[0]!;
const FIRST = { restarts: 0, attempt: 0 };
const AGAIN = { restarts: 1, attempt: 0 };
const PHASES = ['shares', 'chunks', 'decide', 'sums', 'unmask', 'verify'] as const;

export const certified = (round: number, own = true): Notice => {
  const metrics = { lossSum: 50, correct: 90, examples: 100 };
  const statement = { round, roster: PEERS, survivors: Uint8Array.of(0b0111), metrics };
  return { kind: 'certified', certificate: { statement }, hash: '', own } as unknown as Notice;
};

/** A round whose first attempt is burnt, and whose second loses one of four peers. */
export function roundOf(round: number): readonly Notice[] {
  const inAttempt = (slot: typeof FIRST): Notice[] => [
    { kind: 'training', round },
    { kind: 'joining', round, slot },
    { kind: 'session', round, slot, roster: PEERS, update: 'u' },
    ...PHASES.map((phase): Notice => ({ kind: 'phase', round, slot, phase })),
  ];
  const survivors = PEERS.slice(0, 3);
  return [
    ...inAttempt(FIRST),
    { kind: 'burnt', round, slot: FIRST, reason: 'quorum-lost', update: 'u' },
    ...inAttempt(AGAIN),
    { kind: 'sum', round, slot: AGAIN, survivors, cells: [survivors] },
    certified(round),
  ];
}

/** What else a node may tell, once each. */
export const REST: readonly Notice[] = [
  { kind: 'retry', round: 9, slot: FIRST, reason: 'abandoned', proven: true },
  { kind: 'convicted', round: 9, slot: FIRST, peer: PEERS[1]!, reason: 'wrong-sum' },
  { kind: 'banned', peer: PEERS[1]!, reason: 'wrong-sum', until: 109 },
  { kind: 'banned', peer: SELF, reason: 'equivocation', until: 109 },
  { kind: 'withheld', round: 9, reason: 'worse' },
  { kind: 'refused', peer: PEERS[2]!, reason: 'nonsense' },
  { kind: 'train-failed', reason: 'out of memory' },
  { kind: 'budget-spent', round: 9, reason: 'epsilon' },
  { kind: 'rolled-back', toRound: 8 },
  { kind: 'cancelled', round: 9 },
  { kind: 'finished', round: 9 },
];

/** Tells notices one second apart, from the start of 1970. */
export function tell(
  listeners: readonly TimelineListener[],
  notices: readonly Notice[],
  metrics?: Metrics,
): void {
  const timeline = new RoundTimeline(listeners);
  for (const [second, notice] of notices.entries()) {
    metrics?.take(JOB, notice);
    timeline.take(JOB, notice, 1_000 * second);
  }
}

export const job = (changes: Partial<JobSample> = {}): JobSample => ({
  ...{ id: JOB, name: 'ward', standing: 'participating', isRunning: true, phase: 'training' },
  ...{ roundsWanted: 20, rounds: 3, secondsSinceCertificate: 12, secondsPerRound: 30 },
  last: { roster: 4, survivors: 3, loss: 0.5, accuracy: 0.9, examples: 100 },
  progress: { step: 30, steps: 120, examplesPerSecond: 5_000 },
  ...changes,
});

const pace = { perSecond: 10, max: 2 ** 20, total: 5_000 };

const served: ServedView = {
  ...{ name: 'ward', from: 'job ward', version: '3', isReady: true, device: 'cpu' },
  ...{ inputs: [], outputs: [], unbatchable: null, problem: null, latency: null },
  ...{ requests: 9, failures: 1, waiting: 2, runs: 5, rows: 8, swaps: 2 },
  options: {
    ...{ maxBatch: 32, maxDelayMs: 0, queue: 256, device: 'auto', swarm: false, quota: null },
  },
};

/** A daemon of which everything is known. */
export function view(changes: Partial<TelemetryView> = {}): TelemetryView {
  return {
    status: {
      ...{ peerId: SELF, version: '0.1.0', network: 'starling', addresses: [], pid: 1 },
      ...{ peers: PEERS.slice(1), routingTable: 3, warnings: [], jobs: 1, dataSets: 1 },
      bootstrap: [{ address: '/ip4/127.0.0.1/tcp/1', state: 'connected' }],
      ...{ training: [], uptimeSeconds: 60, eventLoopDelayMs: { p99: 1, max: 5 } },
      resources: {
        ...{ paused: ['battery'], upload: pace, download: pace, hours: [] },
        disk: { bytes: 90, max: 100, pinned: 10, blobs: 4, evicted: 1 },
        memory: { bytes: 2 ** 28, max: 2 ** 30 },
        ...{ othersLoad: 0.25, memoryPressure: 0 },
        trainer: { cpuThreads: 1, cpuShare: 1 },
        container: { memory: 2 ** 31, cpus: 2 },
      },
      ...{ stateDirectory: '/state', apiUrl: null, events: [] },
      checkpoints: {
        ...{ to: '/mnt/shared', every: 1, keep: 10, state: 'waiting', lastError: null },
        ...{ written: 4, found: 1, failed: 2, skipped: 0, deleted: 3, pending: 1, bytes: 9_000 },
        last: { job: JOB, round: 4, secondsAgo: 7 },
      },
    },
    swarm: {
      ...{ reachability: 'local', direct: 2, relayed: 1, known: 5, refusedBy: 1 },
      refused: { 'not-a-member': 3 },
    },
    jobs: [job()],
    privacy: {
      datasets: [
        {
          ...{ dataset: 'mine', budget: { epsilon: 8, delta: 1e-5 }, epsilon: 6, delta: 1e-5 },
          ...{ rho: 0.5, left: { epsilon: 2, rho: 0.2 }, jobs: [] },
          examples: { noise: null, trainings: 2, epsilon: 3 },
        },
      ],
    },
    serving: { url: null, models: [served] },
    filesystem: { freeBytes: 40, sizeBytes: 100 },
    now: 1_700_000_000_000,
    ...changes,
  };
}
