import type {
  DataSetView,
  MemberView,
  NetworkView,
  PeersView,
  PolicyView,
  PrivacyView,
  Status,
  SwarmView,
} from '@starling/control';
import { chance, hashOf, PEERS, peerOf, SELF } from './world.ts';

const GIB = 2 ** 30;
const connected = PEERS.slice(0, 17);

export const status = (seconds: number, jobs: number, dataSets: number): Status => ({
  ...{ peerId: SELF, version: '0.1.0', network: 'lab', peers: connected, jobs, dataSets },
  apiUrl: null,
  events: [
    {
      ...{ name: 'audit', kind: 'webhook', target: 'https://audit.example/starling', behind: 0 },
      ...{ state: 'delivering', delivered: 1_204, setAside: 0, missed: 0, lastError: null },
    },
    {
      ...{ name: 'lab', kind: 'amqp', target: 'amqps://queue.example/starling', behind: 31 },
      ...{ state: 'retrying', delivered: 840, setAside: 2, missed: 0 },
      lastError: 'connection refused',
    },
  ],
  addresses: [`/ip4/192.0.2.17/tcp/7380/p2p/${SELF}`, `/ip4/127.0.0.1/tcp/7380/p2p/${SELF}`],
  ...{ routingTable: 21, uptimeSeconds: 96_000 + seconds, pid: 4711 },
  bootstrap: [
    { address: `/dns4/one.example/tcp/7380/p2p/${PEERS[0]}`, state: 'connected' },
    {
      address: `/dns4/two.example/tcp/7380/p2p/${PEERS[20]}`,
      ...{ state: 'not connected', error: 'connection refused' },
    },
  ],
  warnings: ['2 of 3 admins of this swarm have not been seen for a week'],
  training: [],
  eventLoopDelayMs: { p99: 11.2, max: 38 },
  resources: {
    paused: [],
    upload: { perSecond: Math.round(1.6e6 * chance('up', seconds)), max: 2 ** 21, total: 3.2e9 },
    download: { perSecond: Math.round(2.9e6 * chance('down', seconds)), max: null, total: 4.8e9 },
    disk: { bytes: 18.7 * GIB, max: 20 * GIB, pinned: 2 * GIB, blobs: 412, evicted: 37 },
    memory: { bytes: 0.61 * GIB, max: 2 * GIB },
    ...{ hours: ['22:00-07:00'], othersLoad: 0.23, memoryPressure: 0.01 },
    trainer: { cpuThreads: 2, cpuShare: 0.75 },
    container: { memory: null, cpus: null },
  },
  checkpoints: null,
  stateDirectory: '/home/ada/.starling',
});

export const peers: PeersView = {
  connected: connected.map((peer, i) => ({
    ...{ peer, agent: 'starling/0.1.0' },
    connections: [
      {
        ...{ address: `/ip4/198.51.100.${i + 1}/tcp/7380`, direction: 'outbound' },
        ...{ relayed: i >= 13, latencyMs: 4 + Math.round(90 * chance('latency', i)) },
      },
    ],
  })),
  outdated: [],
  known: 23,
  unreachable: PEERS.slice(17, 20).map((peer) => ({
    ...{ peer, failures: 12, lastError: 'connection refused' },
  })),
};

export const network: NetworkView = {
  ...{ self: SELF, network: 'lab', bootstrap: [], listening: [], announced: [], seenBy: [] },
  ...{ reachability: 'public', silent: [], dht: { routingTable: 21, answered: 4 } },
  relay: { isWanted: false, reservations: [], offering: [] },
  ...{ topics: [], peers: { known: 23, connected: 17, relayed: 4 }, unreachable: [] },
  ...{ refused: {}, refusedBy: [], outdated: [] },
};

export const swarm: SwarmView = {
  ...{ kind: 'private', id: hashOf('swarm'), name: 'hospitals', network: 'lab' },
  ...{ admins: [SELF, PEERS[0]!, PEERS[1]!], threshold: 2, role: 'admin', standing: 'member' },
  ...{ memberUntil: '2027-03-01T00:00:00Z', members: 19, connected: 17, revocationListVersion: 3 },
  ...{ preSharedKey: true, bootstrap: [], invites: [], warnings: [] },
  refused: { 'no-credential': 4, revoked: 1 },
  refusedBy: [{ peer: PEERS[21]!, reason: 'this peer is not in policy.members' }],
};

export const members: readonly MemberView[] = [SELF, ...PEERS.slice(0, 18)].map((peer, i) => ({
  ...{ peer, role: i < 3 ? 'admin' : 'trainer', standing: i === 18 ? 'revoked' : 'member' },
  ...{ connected: i > 0 && i < 18, self: i === 0, memberUntil: '2027-03-01T00:00:00Z' },
  invite: null,
}));

export const dataSets: readonly DataSetView[] = [
  {
    ...{ name: 'mnist-share', path: '/data/mnist-share', task: 'mnist', format: 'idx' },
    ...{ examples: 12_000, shape: [28, 28], dtype: 'float32', target: 'classes', classes: 10 },
    augment: null,
  },
  {
    ...{ name: 'motes', path: 's3://lab/motes/2026/', task: 'wsn', format: 'parquet' },
    ...{ examples: 18_914, shape: [5], dtype: 'float32', target: 'classes', classes: 2 },
    augment: null,
  },
];

export const privacy: PrivacyView = {
  datasets: [
    {
      ...{
        dataset: 'mnist-share',
        budget: { epsilon: 8, delta: 1e-5 },
        epsilon: 3.21,
        delta: 1e-5,
      },
      ...{ rho: 0.18, left: { epsilon: 4.79, rho: 0.71 } },
      jobs: [
        { job: hashOf('job', 'mnist'), name: 'mnist-mlp', updates: 17, epsilon: 2.4, rho: 0.11 },
        { job: hashOf('job', 'old'), name: null, updates: 9, epsilon: 1.7, rho: 0.07 },
      ],
      examples: { noise: { clippingNorm: 1, noiseMultiplier: 1.1 }, trainings: 26, epsilon: 5.2 },
    },
    {
      ...{ dataset: 'motes', budget: { epsilon: 4, delta: 1e-6 }, epsilon: 3.98, delta: 1e-6 },
      ...{ rho: 0.21, left: { epsilon: 0.02, rho: 0.001 }, examples: null },
      jobs: [
        {
          job: hashOf('job', 'sensors'),
          name: 'wsn-anomalies',
          updates: 22,
          epsilon: 3.98,
          rho: 0.21,
        },
      ],
    },
  ],
};

export const policy: PolicyView = {
  trust: [SELF, peerOf(1)],
  ...{ minPeers: 5, members: [], company: [peerOf(2), peerOf(3)], minCompany: 1, worseMax: 1.5 },
  set: ['trust', 'privacyBudget'],
  vouching: { voters: [], least: 1 },
  privacyBudget: { 'mnist-share': { epsilon: 8, delta: 1e-5 }, motes: { epsilon: 4, delta: 1e-6 } },
  exampleNoise: { 'mnist-share': { clippingNorm: 1, noiseMultiplier: 1.1 } },
};
