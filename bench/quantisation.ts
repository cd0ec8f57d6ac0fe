/**
 * What smaller updates cost in accuracy and in time: `npx tsx bench/quantisation.ts [--json]`. The
 * mean of eight peers' updates by way of ring words beside their mean in float64; bytes beside
 * float32. Times are medians of three after one that is not counted.
 */
import { encodeState, FEDAVG, type JobCodec, MEAN, vectorBytes } from '@starling/federation';
import { inlineCompute } from '@starling/node';
import { gaussianVector, normOf } from '../packages/federation/src/testing/draws.ts';

/** Layers of a small CNN: weights, and how much larger than others an update of them is. */
const LAYERS = [
  [832, 5],
  [51_264, 2],
  [1_606_144, 1],
  [5_130, 10],
] as const;
const WEIGHTS = LAYERS.reduce((sum, [weights]) => sum + weights, 0);
const PEERS = 8;
const REPEATS = 3;
const NORM = 1;
const publicSeed = new Uint8Array(32).fill(4);

type Changes = Partial<Pick<JobCodec, 'rotation' | 'sparsity' | 'errorFeedback'>>;
const TURNED: Changes = { rotation: 'hadamard' };
const KINDS: readonly (readonly [bits: number, changes: Changes])[] = [
  ...([8, 10, 12, 16, 20, 24] as const).flatMap(
    (bits) =>
      [
        [bits, {}],
        [bits, TURNED],
      ] as const,
  ),
  [8, { ...TURNED, errorFeedback: true }],
  [12, { ...TURNED, errorFeedback: true, sparsity: 0.1 }],
];

interface Row {
  readonly bits: number;
  readonly rotation: string;
  readonly sparsity: number;
  readonly errorFeedback: boolean;
  /** Bytes of a peer's update and of the sum, over those in float32. */
  readonly updateOfFloat32: number;
  readonly sumOfFloat32: number;
  /** Of the mean: L2 distance to the exact one over its length. */
  readonly relativeError: number;
  readonly quantiseMs: number;
  readonly applyMs: number;
}

/** Gaussian within a layer; half of it is what all peers have in common. */
function updateOf(peer: number): Float32Array {
  const [own, common] = [gaussianVector(WEIGHTS, peer), gaussianVector(WEIGHTS, 99)];
  const update = own.map((value, i) => value + common[i]!);
  let at = 0;
  for (const [weights, scale] of LAYERS) {
    for (let i = at; i < at + weights; i++) update[i] = scale * update[i]!;
    at += weights;
  }
  const norm = normOf(update);
  return update.map((value) => (NORM * value) / norm);
}

const updates = Array.from({ length: PEERS }, (_, peer) => updateOf(peer));
const exact = new Float64Array(WEIGHTS);
for (const update of updates) for (const [i, value] of update.entries()) exact[i]! += value / PEERS;
const model = { parameters: WEIGHTS, buffers: 0 };
const effort = { examples: 1, localSteps: 1 };
const metrics = { lossSum: 0, correct: 0, examples: 0 };
const median = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length >> 1]!;

async function timed<T>(run: () => Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now();
  const out = await run();
  return [out, performance.now() - start];
}

async function measure(bits: number, changes: Changes): Promise<Row> {
  const codec: JobCodec = {
    ...{ bits, peersMax: 16, clippingNorm: NORM * 1.001, bufferRange: 1 },
    ...{ optimizer: FEDAVG, combination: MEAN },
    ...changes,
  };
  const times: number[] = [];
  let sum: Uint32Array | undefined;
  for (const [peer, update] of updates.entries()) {
    const seed = new Uint8Array(32).fill(peer);
    const task = { update: update.slice(), trainable: WEIGHTS, effort, metrics, seed };
    const quantise = () => inlineCompute.run('quantise', { ...task, publicSeed, codec });
    const [{ words }, ms] = await timed(quantise);
    times.push(ms);
    if (sum === undefined) sum = words.slice();
    else for (let i = 0; i < words.length; i++) sum[i]! += words[i]!;
  }
  const applied: number[] = [];
  let error = 0;
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    const zeros = new Float32Array(WEIGHTS);
    const state = encodeState({ round: 0, model: zeros, trainable: WEIGHTS, moments: [] });
    const cells = [{ words: sum!, survivors: PEERS }];
    const apply = () => inlineCompute.run('apply', { state, cells, codec, publicSeed });
    const [out, ms] = await timed(apply);
    applied.push(ms);
    const mean = new Float32Array(out.state.slice(20).buffer);
    error = normOf(mean.map((value, i) => value - exact[i]!));
  }
  const bytes = vectorBytes(codec, model, PEERS);
  return {
    ...{ bits, rotation: codec.rotation ?? 'none', sparsity: codec.sparsity ?? 1 },
    errorFeedback: codec.errorFeedback ?? false,
    updateOfFloat32: bytes.update / bytes.float32,
    sumOfFloat32: bytes.sum / bytes.float32,
    relativeError: error / normOf(Float32Array.from(exact)),
    quantiseMs: median(times.slice(1)),
    applyMs: median(applied.slice(1)),
  };
}

const rows: Row[] = [];
for (const [bits, changes] of KINDS) rows.push(await measure(bits, changes));
const report = { benchmark: 'quantisation', weights: WEIGHTS, peers: PEERS, rows };
if (process.argv.includes('--json')) console.log(JSON.stringify(report, undefined, 2));
else console.table(rows);
