/**
 * Memory of one peer's round at 25 million weights: `npx tsx bench/memory.ts [--json]`, after `npm
 * run build`. Runs the kernels of a round one after the other, as a member of a cell of 4 that owns
 * a quarter of the chunks, and takes the greatest resident memory during each. The comparison is
 * the vector itself, 100 MB: beside the model's state, of which `apply` needs the old and the new
 * one, a round may hold 4 vectors. Exit code 1 when it holds more.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encodeState, FEDAVG, MEAN, metricWords, updateCodec } from '@starling/federation';
import { createComputePool } from '@starling/node';
import type { RingShape } from '@starling/secagg';
// By path: no other package has a use for it.
import { VectorStore } from '../packages/node/src/vectors.ts';

const ENTRY = new URL('../apps/cli/dist/kernel-worker.js', import.meta.url);
const WEIGHTS = 25_000_000;
const PEERS = 4;
const WARM_UP_WEIGHTS = 1_000_000;
const SAMPLE_MS = 2;
const VECTORS_MAX = 4;

const codec = {
  bits: 24,
  peersMax: 64,
  clippingNorm: 10,
  bufferRange: 100,
  optimizer: FEDAVG,
  combination: MEAN,
};
const shape: RingShape = {
  length: WEIGHTS + metricWords(updateCodec(codec)),
  bits: codec.bits,
  coordinateMax: updateCodec(codec).valueMax,
  chunkBytes: 256 * 1024,
};
const effort = { examples: 1, localSteps: 1 };
const VECTOR_BYTES = 4 * shape.length;

interface Row {
  readonly step: string;
  readonly seconds: number;
  /** Greatest resident memory above the process that has warmed up, in vectors. */
  readonly peakVectors: number;
  /** Model states among it, in vectors: they do not count. */
  readonly stateVectors: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const pool = createComputePool(ENTRY, { workers: 1 });
const store = new VectorStore();
const rows: Row[] = [];
let idleBytes = 0;

/** Runs one step and notes its peak. */
async function step<T>(name: string, stateVectors: number, run: () => Promise<T>): Promise<T> {
  collectGarbage();
  let peak = process.memoryUsage.rss();
  const sample = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const sampler = setInterval(sample, SAMPLE_MS);
  const start = performance.now();
  const result = await run();
  const seconds = (performance.now() - start) / 1000;
  sample();
  clearInterval(sampler);
  rows.push({ step: name, seconds, peakVectors: (peak - idleBytes) / VECTOR_BYTES, stateVectors });
  return result;
}

const metrics = { lossSum: 1, correct: 1, examples: 1 };
const term = { seed: new Uint8Array(32).fill(1), sign: 1 } as const;
const stateOf = (weights: number): Uint8Array => {
  const model = new Float32Array(weights);
  return encodeState({ round: 0, model, trainable: weights, moments: [] });
};

async function quantiseAndMask(): Promise<number> {
  const { words } = await step('quantise', 0, () => {
    const update = new Float32Array(WEIGHTS).fill(1e-3);
    const trainable = update.length;
    return pool.run('quantise', { update, trainable, effort, metrics, seed: term.seed, codec });
  });
  store.putWords('update', words);
  const { chunks } = await step('mask', 0, () => pool.run('mask', { words, terms: [term], shape }));
  for (const [chunk, bytes] of chunks.entries()) store.putBytes(`own/${chunk}`, bytes);
  return chunks.length;
}

/** The other members' inputs are taken to be equal to ours. */
const inputsOf = (chunk: number): readonly Uint8Array[] =>
  Array.from({ length: PEERS }, (_, i) => {
    return store.bytes(i === 0 ? `own/${chunk}` : `in/${chunk}/${i}`)!;
  });

async function sumOwned(count: number): Promise<void> {
  const owned = Array.from({ length: Math.ceil(count / PEERS) }, (_, i) => i);
  await step('receive and sum', 0, async () => {
    for (const chunk of owned) {
      for (let i = 1; i < PEERS; i++) {
        store.putBytes(`in/${chunk}/${i}`, new Uint8Array(store.bytes(`own/${chunk}`)!));
      }
    }
    const parts = owned.map((chunk) => ({ chunk, packed: inputsOf(chunk) }));
    const { sums } = await pool.run('sum', { parts, shape, peers: PEERS });
    for (const { chunk, bytes } of sums) store.putBytes(`sum/${chunk}`, bytes);
  });
}

/** The sums of other owners' chunks, as they come from the network, a few at a time. */
async function fetchSums(count: number): Promise<void> {
  await step('fetch sums', 0, async () => {
    for (let chunk = Math.ceil(count / PEERS); chunk < count; chunk++) {
      const own = store.bytes(`own/${chunk}`)!;
      const parts = [{ chunk, packed: Array<Uint8Array>(PEERS).fill(own) }];
      const { sums } = await pool.run('sum', { parts, shape, peers: PEERS });
      store.putBytes(`sum/${chunk}`, sums[0]!.bytes);
    }
  });
}

async function unmaskAndApply(count: number): Promise<void> {
  // The received chunks go when all sums are here; the daemon still keeps them for the round. What
  // is released goes with the next release.
  store.release('cell', 'in/');
  store.release('cell', 'all/');
  const sums = Array.from({ length: count }, (_, chunk) => store.bytes(`sum/${chunk}`)!);
  const terms = Array.from({ length: PEERS }, () => ({ seed: term.seed, sign: -1 as const }));
  const survivors = PEERS;
  const { words, inRange } = await step('unmask', 0, () =>
    pool.run('unmask', { sums, terms, shape, peers: PEERS, survivors }),
  );
  if (!inRange) throw new Error('the opened sum is out of range');
  await step('apply', 2, () => {
    return pool.run('apply', { state: stateOf(WEIGHTS), cells: [{ words, survivors }], codec });
  });
}

// Code and scratch memory, which do not grow with the vector, are there before it starts.
await pool.run('decode', { state: stateOf(WARM_UP_WEIGHTS) });
const warmUp = new Float32Array(WARM_UP_WEIGHTS);
const warm = { update: warmUp, trainable: warmUp.length };
await pool.run('quantise', { ...warm, effort, metrics, seed: term.seed, codec });
collectGarbage();
idleBytes = process.memoryUsage.rss();
const count = await quantiseAndMask();
await sumOwned(count);
await fetchSums(count);
await unmaskAndApply(count);
await pool.close();
const worst = Math.max(...rows.map(({ peakVectors, stateVectors }) => peakVectors - stateVectors));
if (process.argv.includes('--json')) {
  process.stdout.write(`${JSON.stringify({ weights: WEIGHTS, peakVectors: worst, rows })}\n`);
} else {
  for (const { step, seconds, peakVectors, stateVectors } of rows) {
    const memory = `${peakVectors.toFixed(2)} vectors, ${stateVectors} of them model states`;
    process.stdout.write(`${step.padEnd(16)} ${seconds.toFixed(2).padStart(6)} s  ${memory}\n`);
  }
  process.stdout.write(`at most ${worst.toFixed(2)} vectors beside the model's states\n`);
}
if (worst > VECTORS_MAX) process.exitCode = 1;
