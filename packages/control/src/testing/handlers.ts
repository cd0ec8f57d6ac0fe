import type { Dataset } from '@starling/trainer';
import {
  type ControlHandlers,
  type DataSetView,
  type InspectionView,
  type JobEvent,
  type JobView,
  jobFileSchema,
  type ManifestView,
  manifestOf,
  manifestView,
  type NetworkView,
  type PeersView,
  type PolicyView,
  type ServedView,
  type Status,
} from '../index.ts';
import { modelHandlers } from './model-handlers.ts';
import { offerHandlers } from './offer-handlers.ts';
import { swarmHandlers } from './swarm-handlers.ts';

export const ID = 'ab'.repeat(32);

export const NETWORK: NetworkView = {
  ...{ self: 'me', network: 'lab', bootstrap: [], listening: [], announced: [], silent: [] },
  ...{ reachability: 'unknown', seenBy: [], dht: { routingTable: 0, answered: 0 }, topics: [] },
  ...{ relay: { isWanted: true, reservations: [], offering: [] }, unreachable: [], refused: {} },
  ...{ peers: { known: 0, connected: 0, relayed: 0 }, refusedBy: [], outdated: [] },
};
export const STATUS: Status = {
  ...{ peerId: '12D3KooWx', version: '0.1.0', network: 'n', addresses: ['/ip4/127.0.0.1/tcp/1'] },
  ...{ peers: [], routingTable: 0, bootstrap: [{ address: 'a', state: 'connected' }], jobs: 1 },
  training: [
    { ...{ job: ID, name: 'größe', step: 3, steps: 9 }, examplesPerSecond: 5.5, secondsLeft: 2 },
  ],
  ...{
    warnings: [],
    dataSets: 1,
    uptimeSeconds: 1.5,
    stateDirectory: '/tmp/x',
    apiUrl: null,
    pid: 7,
  },
  eventLoopDelayMs: { p99: 11, max: 20 },
  events: [],
  checkpoints: null,
  resources: {
    paused: ['battery'],
    upload: { perSecond: 10, max: 1000, total: 99 },
    download: { perSecond: 0, max: null, total: 0 },
    disk: { bytes: 5, max: 10, pinned: 2, blobs: 3, evicted: 1 },
    memory: { bytes: 7, max: null },
    hours: ['22:00-07:00'],
    ...{ othersLoad: 0.5, memoryPressure: null },
    trainer: { cpuThreads: 1, cpuShare: 0.5 },
    container: { memory: 9, cpus: null },
  },
};

export const JOB: JobView = {
  ...{ id: ID, name: 'größe', launcher: 'me', standing: 'participating', detail: 'data set a' },
  ...{
    phase: 'training',
    progress: null,
    suspects: [],
    privacy: null,
    live: null,
    rounds: [],
    secondsPerRound: null,
    roundsWanted: 2,
    stateHash: null,
  },
};

export const DATA: DataSetView = {
  ...{ name: 'a', path: '/d', task: 't', format: 'csv', examples: 3, shape: [4] },
  ...{ dtype: 'float32', target: 'classes', classes: 2, augment: null },
};
export const OFFER: Dataset = {
  ...{ name: 'a', path: '/d', augment: { flip: true, crop: 2, noise: 0 } },
  plan: {
    ...{ format: 'csv', files: 1, bytes: 99, count: 3, shape: [4], histogram: [1, 2] },
    elements: { dtype: 'float32', shift: [0], factor: [0.5] },
    target: { kind: 'classes', count: 2, names: ['x', 'y'] },
    reading: {
      ...{ kind: 'table', rows: [3] },
      columns: { features: ['f'], labels: ['l'], labelsAre: 'names' },
    },
  },
  schema: {
    ...{ task: 't', input: { dtype: 'float32', shape: [4] }, target: 'classes', classes: 2 },
  },
};
export const FILE = jobFileSchema.parse({
  ...{
    name: 'j',
    model: 'm.onnx',
    data: { task: 't', input: { shape: [4] } },
    stop: { rounds: 1 },
  },
});

export const EVENT: JobEvent = { job: ID, kind: 'phase', round: 1, text: 'round 1: shares' };

export const PEERS: PeersView = {
  connected: [
    {
      ...{ peer: '12D3KooWx', agent: null },
      connections: [
        { address: '/ip4/127.0.0.1/tcp/1', direction: 'inbound', relayed: false, latencyMs: 1.5 },
      ],
    },
  ],
  outdated: [],
  ...{ known: 3, unreachable: [{ peer: '12D3KooWy', failures: 2, lastError: 'refused' }] },
};
export const MANIFEST: ManifestView = manifestView({
  ...{ job: ID, launcher: 'me', modelBytes: 99, parameters: undefined },
  manifest: manifestOf(FILE, new Uint8Array(3)),
});
export const INSPECTION: InspectionView = {
  ...{ offer: OFFER, task: 't', format: 'csv', examples: 3, bytes: 99, shape: [4] },
  ...{ classes: ['x', 'y'], histogram: [1, 2], columns: [], notes: ['a guess'], problems: [] },
};
export const POLICY: PolicyView = {
  ...{ trust: [], minPeers: 3, company: [], minCompany: 0, worseMax: null, members: [] },
  ...{ privacyBudget: { scans: { epsilon: 8, delta: 1e-5 } }, exampleNoise: {} },
  ...{ vouching: { voters: [], least: 1 }, set: ['privacyBudget'] },
};

export const SERVED: ServedView = {
  ...{ name: 'm', from: 'job größe', version: '3', isReady: true, device: 'cpu' },
  ...{ inputs: [{ name: 'x', dtype: 'float32', shape: [null, 4] }], outputs: [] },
  ...{ unbatchable: null, problem: null, requests: 9, failures: 1, waiting: 0 },
  ...{ runs: 5, rows: 8, swaps: 2, latency: { p50Ms: 0.5, p99Ms: 2 } },
  options: {
    ...{ maxBatch: 32, maxDelayMs: 0, queue: 256, device: 'auto', swarm: false, quota: null },
  },
};

/** The given handlers over harmless ones. */
export const harmless = (handlers: Partial<ControlHandlers> = {}): ControlHandlers => ({
  status: async () => STATUS,
  health: async () => ({ ok: true, status: 'alive' }),
  ready: async () => ({ ok: false, status: 'not a member yet' }),
  network: async () => NETWORK,
  peers: async () => PEERS,
  stop: () => {},
  jobs: async () => [JOB],
  job: async () => JOB,
  manifest: async () => MANIFEST,
  launch: async () => ({ job: ID, copies: 2, peers: 3, privacy: null }),
  approve: async () => JOB,
  refuse: async () => ({ ...JOB, standing: 'refused' }),
  cancel: async () => ({ ...JOB, phase: 'cancelled' }),
  watch: () => () => {},
  pull: async () => ({ round: 1, model: 'AAAA', proof: 'AAAA' }),
  inspectData: async () => INSPECTION,
  policy: async () => POLICY,
  changePolicy: async () => POLICY,
  privacy: async () => ({ datasets: [] }),
  addData: async () => DATA,
  removeData: async () => DATA,
  listData: async () => [DATA],
  serving: {
    list: async () => ({ url: null, models: [SERVED] }),
    serve: async () => SERVED,
    unserve: async () => SERVED,
    peerModels: async () => [{ model: 'm', version: '3', inputs: [], outputs: [] }],
    askPeer: async () => ({ version: '3', outputs: [] }),
  },
  swarm: swarmHandlers(),
  models: modelHandlers(),
  offers: offerHandlers(),
  ...handlers,
});
