import { u32be } from '@starling/core';
import { verifications } from '@starling/crypto';
import {
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  type Manifest,
  NO_PRIVACY,
} from '@starling/protocol-rounds';
import { ringShapeOf } from '@starling/rounds';
import type { ProtectionName, UnmaskingName } from '@starling/secagg';
import { verificationSeconds } from '@starling/sim';
import type { Swarm } from '@starling/swarm';
import { BenchCell, type Carry, type CellSetup, type CellTraffic } from './cell.ts';
import { median } from './interleave.ts';
import { type Benchmark, type BenchmarkLine, type BenchmarkReport, columnsOf } from './registry.ts';
import { connectedSwarms } from './swarms.ts';

interface Size {
  readonly peers: number;
  readonly dim: number;
  readonly bits: number;
  readonly replication: number;
  readonly unmasking: UnmaskingName;
  readonly repetitions: number;
}

const CELL = { dim: 1_000_000, bits: 24, replication: 1, unmasking: 'shared' } as const;
const FULL: readonly Size[] = [
  { ...CELL, peers: 8, repetitions: 5 },
  { ...CELL, peers: 8, bits: 16, repetitions: 5 },
  { ...CELL, peers: 32, repetitions: 3 },
  { ...CELL, peers: 32, bits: 16, repetitions: 3 },
  { ...CELL, peers: 8, dim: 199_210, repetitions: 7 },
  { ...CELL, peers: 8, dim: 1_663_370, repetitions: 3 },
  { ...CELL, peers: 8, replication: 2, repetitions: 5 },
  { ...CELL, peers: 8, unmasking: 'local', repetitions: 5 },
  { ...CELL, peers: 32, unmasking: 'local', repetitions: 3 },
];
const QUICK: readonly Size[] = [
  { ...CELL, peers: 4, dim: 2_000, repetitions: 1 },
  { ...CELL, peers: 4, dim: 2_000, bits: 16, replication: 2, unmasking: 'local', repetitions: 1 },
];

/** A gossip mesh has some six neighbours: a message goes on to all but the one it came from. */
const RELAYS = 5;

/** What a secure round may cost. */
const CPU_RATIO_MAX = 2;
const BYTES_RATIO_MAX = 1.15;
/** By ring bits, against a float32 all-reduce. */
const ALL_REDUCE_RATIO_MAX: Readonly<Record<number, number>> = { 16: 0.7, 24: 1 };

type Target = 'cpu' | 'bytes/plain' | 'bytes/all-reduce';

interface Measured {
  readonly cpuSeconds: number;
  readonly traffic: CellTraffic;
}
interface Pair {
  readonly secure: Measured;
  readonly plain: Measured;
}

const cpuRatio = (pairs: readonly Pair[]): number =>
  median(pairs.map((pair) => pair.secure.cpuSeconds / pair.plain.cpuSeconds));

export interface RoundRow {
  readonly peers: number;
  readonly dim: number;
  readonly bits: number;
  readonly replication: number;
  readonly unmasking: UnmaskingName;
  /** Of all that a round does from the roster to the opened sum, its transport included. */
  readonly cpuRatioToPlain: number;
  /** The same with chunks and sums handed over in memory. */
  readonly cpuRatioWithoutTransport: number;
  readonly bytesRatioToPlain: number;
  readonly bytesRatioToFloat32AllReduce: number;
  readonly cpuSecondsPerPeer: number;
  /** Sent, with every control message counted once, at its sender. */
  readonly bytesPerPeer: number;
  readonly controlBytesPerPeer: number;
  /** With every member relaying every control message to `RELAYS` others: the most it can be. */
  readonly bytesPerPeerWithRelays: number;
  readonly bytesRatioToPlainWithRelays: number;
  /** Targets that this row misses. */
  readonly missed: readonly Target[];
}

const PROTOCOL = '/starling/bench-round/1';
const NOTHING = { header: new Uint8Array(0), body: new Uint8Array(0) };
const CARRY_TIMEOUT_MS = 60_000;

/** Chunks and sums go as a daemon sends them: by requests over encrypted streams on loopback. */
function carryOver(swarms: readonly Swarm[]): Carry {
  const arrived = new Map<number, Uint8Array>();
  for (const swarm of swarms) {
    swarm.handle(PROTOCOL, async ({ header, body }) => {
      arrived.set(new DataView(header.buffer, header.byteOffset).getUint32(0), body);
      return NOTHING;
    });
  }
  let sent = 0;
  return async (from, to, body) => {
    const number = sent++;
    const parcel = { header: u32be(number), body };
    const options = { timeoutMs: CARRY_TIMEOUT_MS };
    await swarms[from]!.request(swarms[to]!.self, PROTOCOL, parcel, options);
    const came = arrived.get(number)!;
    arrived.delete(number);
    return came;
  };
}

/**
 * CPU of the whole process: nothing else runs in it, and keys and inputs are made before. What one
 * process remembers of signatures, and peers check each for themselves, is counted and added.
 */
async function measure(setup: CellSetup): Promise<Measured> {
  const cell = new BenchCell(setup);
  const remembered = verifications().remembered;
  const before = process.cpuUsage();
  const traffic = await cell.run();
  const { user, system } = process.cpuUsage(before);
  const checks = verifications().remembered - remembered;
  cell.assertExact();
  const seconds = (user + system) / 1e6 + checks * verificationSeconds();
  return { cpuSeconds: seconds / setup.peers, traffic };
}

function setupOf(size: Size): Omit<CellSetup, 'protection'> {
  const { peers, dim, bits, replication, unmasking } = size;
  // All that the cutting of a vector depends on.
  const manifest = {
    aggregation: { ...DEFAULT_AGGREGATION, ringBits: bits },
    training: DEFAULT_TRAINING,
    admission: { maxPeers: peers },
    privacy: NO_PRIVACY,
    stop: { rounds: 1, target: null, seconds: 0 },
  } as Manifest;
  const shape = ringShapeOf(manifest, dim, peers);
  // Windows of one vector: different inputs without the memory of as many vectors.
  const values = Uint32Array.from({ length: dim + peers }, (_, i) => {
    return (i * 2_654_435_761) % (shape.coordinateMax + 1);
  });
  const inputs = Array.from({ length: peers }, (_, i) => values.subarray(i, i + dim));
  return { peers, shape, replication, unmasking, inputs };
}

/** Secure and plain rounds in turn, the order turned round each time. */
async function measurePairs(size: Size, carry: Carry | undefined): Promise<readonly Pair[]> {
  const setup = setupOf(size);
  const pairs: Pair[] = [];
  const one = (protection: ProtectionName) => measure({ ...setup, protection, carry });
  for (let repetition = 0; repetition < size.repetitions; repetition++) {
    const early = repetition % 2 === 0 ? undefined : await one('none');
    const secure = await one('double-masking');
    const plain = early ?? (await one('none'));
    pairs.push({ secure, plain });
  }
  return pairs;
}

async function measureSize(size: Size, carry: Carry): Promise<RoundRow> {
  const pairs = await measurePairs(size, carry);
  const bare = await measurePairs(size, undefined);
  const row = rowOf(size, pairs, bare);
  return { ...row, missed: missedBy(row) };
}

function rowOf(
  { peers, dim, bits, replication, unmasking }: Size,
  pairs: readonly Pair[],
  bare: readonly Pair[],
): Omit<RoundRow, 'missed'> {
  // Bytes are the same in every repetition.
  const { secure, plain } = pairs[0]!;
  const sent = ({ traffic }: Measured) => (traffic.control + traffic.direct) / peers;
  const relayed = ({ traffic }: Measured) => {
    const relays = Math.min(RELAYS, peers - 1);
    return (traffic.direct + traffic.control * (1 + peers * relays)) / peers;
  };
  return {
    ...{ peers, dim, bits, replication, unmasking },
    cpuRatioToPlain: cpuRatio(pairs),
    cpuRatioWithoutTransport: cpuRatio(bare),
    bytesRatioToPlain: sent(secure) / sent(plain),
    bytesRatioToFloat32AllReduce: sent(secure) / ((2 * (peers - 1) * 4 * dim) / peers),
    cpuSecondsPerPeer: median(pairs.map((pair) => pair.secure.cpuSeconds)),
    bytesPerPeer: Math.round(sent(secure)),
    controlBytesPerPeer: Math.round(secure.traffic.control / peers),
    bytesPerPeerWithRelays: Math.round(relayed(secure)),
    bytesRatioToPlainWithRelays: relayed(secure) / relayed(plain),
  };
}

/** Names of the targets that a row misses. */
function missedBy(row: Omit<RoundRow, 'missed'>): readonly Target[] {
  const missed: Target[] = [];
  if (row.cpuRatioToPlain > CPU_RATIO_MAX) missed.push('cpu');
  if (row.bytesRatioToPlain > BYTES_RATIO_MAX) missed.push('bytes/plain');
  if (row.bytesRatioToFloat32AllReduce > ALL_REDUCE_RATIO_MAX[row.bits]!) {
    missed.push('bytes/all-reduce');
  }
  return missed;
}

const TITLES = [
  ...[
    'ROUND',
    'R',
    'UNMASKING',
    'CPU/PLAIN',
    'BARE',
    'BYTES/PLAIN',
    'BYTES/ALL-REDUCE',
    'CPU S/PEER',
    'MB/PEER',
  ],
  ...['CONTROL KB', 'MISSED'],
];

const lineOf = (row: RoundRow): BenchmarkLine => [
  `${row.peers} peers, ${row.dim} × ${row.bits} bit`,
  String(row.replication),
  row.unmasking,
  `×${row.cpuRatioToPlain.toFixed(2)}`,
  `×${row.cpuRatioWithoutTransport.toFixed(2)}`,
  `×${row.bytesRatioToPlain.toFixed(3)}`,
  `×${row.bytesRatioToFloat32AllReduce.toFixed(3)}`,
  row.cpuSecondsPerPeer.toFixed(3),
  (row.bytesPerPeer / 1e6).toFixed(2),
  (row.controlBytesPerPeer / 1e3).toFixed(1),
  row.missed.join(', '),
];

const NOTES = [
  'Targets: CPU at most twice a plain round; bytes at most ×1.15 of a plain round, and at most',
  '×1.0 (24 bit) or ×0.7 (16 bit) of what a float32 butterfly all-reduce sends.',
  'A control message counts once, at its sender; the JSON has the bytes with all relays too.',
  'BARE is the CPU ratio without the transport: chunks and sums handed over in memory.',
];
/** Why a row misses a target, by the target's name: from profiles of these runs. */
const REASONS: Readonly<Record<Target, string>> = {
  cpu: 'a plain round has no masks, tags and checks; steps grow with members × chunks',
  'bytes/plain': 'shares and tags weigh more than a short vector',
  'bytes/all-reduce': 'with R owners every chunk is sent R times; headers, in a short vector',
};

const reasonsOf = (rows: readonly RoundRow[]): readonly string[] =>
  [...new Set(rows.flatMap(({ missed }) => missed))].map(
    (target) => `Missed: ${target}: ${REASONS[target]}.`,
  );

/**
 * Whole aggregations, secure and plain, over the same transport with the same chunks: CPU and bytes
 * per peer. What costs the same in both and would only bring the ratio nearer to 1 is left out:
 * training, quantising, applying, JOINs. Control messages are handed over in memory.
 */
export const round: Benchmark = {
  async run({ quick }) {
    const sizes = quick ? QUICK : FULL;
    const rows = new Map<Size, RoundRow>();
    for (const peers of new Set(sizes.map((size) => size.peers))) {
      const own = sizes.filter((size) => size.peers === peers);
      const swarms = await connectedSwarms(peers);
      try {
        const carry = carryOver(swarms);
        // Not counted: it compiles.
        await measureSize({ ...own[0]!, repetitions: 2 }, carry);
        for (const size of own) rows.set(size, await measureSize(size, carry));
      } finally {
        for (const swarm of swarms) await swarm.stop();
      }
    }
    return reportOf(sizes.map((size) => rows.get(size)!));
  },
};

const reportOf = (rows: readonly RoundRow[]): BenchmarkReport => ({
  title: 'secure rounds beside plain ones of the same run, median of the ratios',
  columns: columnsOf(TITLES),
  lines: rows.map(lineOf),
  notes: [...NOTES, ...reasonsOf(rows)],
  result: { rows, relays: RELAYS },
});
