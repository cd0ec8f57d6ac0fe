import { InvariantError, ProtocolError } from '@starling/core';
import { Secret, sha256 } from '@starling/crypto';
import {
  decodeState,
  encodeState,
  FEDAVG,
  type JobCodec,
  MEAN,
  metricWords,
  updateCodec,
} from '@starling/federation';
import {
  addTags,
  chunkLayout,
  type RingShape,
  ringBudget,
  tagOf,
  unpackWords,
} from '@starling/secagg';
import { expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../sim/src/prng.ts';
import { type Compute, type ComputeTasks, inlineCompute, type PlainTerm } from './compute.ts';
import { createComputePool } from './compute-pool.ts';

const WORKER = new URL('../../../apps/cli/dist/kernel-worker.js', import.meta.url);
const PEERS = 3;
const WEIGHTS = 10_000;
const codec: JobCodec = {
  ...{ bits: 24, peersMax: 64, clippingNorm: 200, bufferRange: 50 },
  optimizer: FEDAVG,
  combination: MEAN,
};
const effort = { examples: 100, localSteps: 4 };
const grid = updateCodec(codec);
const shape: RingShape = {
  length: WEIGHTS + metricWords(grid),
  bits: codec.bits,
  coordinateMax: grid.valueMax,
  chunkBytes: 16 * 1024,
};
const random = seededRandom(5, 0, 0);
const metrics = { lossSum: 30, correct: 7, examples: 10 };

const updates = Array.from({ length: PEERS }, () =>
  Float32Array.from(random.bytes(WEIGHTS), (byte) => (byte - 128) / 64),
);
const seeds = Array.from({ length: PEERS }, () => random.bytes(32));
const selfMasks = Array.from({ length: PEERS }, () => random.bytes(32));
const pairMasks = Array.from({ length: PEERS * PEERS }, () => random.bytes(32));

/** What member `m` adds: its own mask, and one with each other, of opposite signs. */
function termsOf(m: number): readonly PlainTerm[] {
  const others = Array.from({ length: PEERS }, (_, i) => i).filter((i) => i !== m);
  const pairs = others.map((i): PlainTerm => {
    const seed = pairMasks[Math.min(m, i) * PEERS + Math.max(m, i)]!;
    return { seed, sign: m < i ? 1 : -1 };
  });
  return [{ seed: selfMasks[m]!, sign: 1 }, ...pairs];
}

interface Run {
  readonly inputs: readonly ComputeTasks['quantise']['out'][];
  readonly masked: readonly ComputeTasks['mask']['out'][];
  readonly summed: ComputeTasks['sum']['out'];
  readonly opened: ComputeTasks['unmask']['out'];
  readonly applied: ComputeTasks['apply']['out'];
}

/** A whole round's arithmetic. */
async function aggregate(compute: Compute): Promise<Run> {
  const quantise = (update: Float32Array, i: number) =>
    compute.run('quantise', {
      update,
      trainable: update.length,
      effort,
      metrics,
      seed: seeds[i]!,
      codec,
    });
  const inputs = await Promise.all(updates.map(quantise));
  const masked = await Promise.all(
    inputs.map(({ words }, m) => compute.run('mask', { words, terms: termsOf(m), shape })),
  );
  const parts = masked[0]!.chunks.map((_, chunk) => ({
    chunk,
    packed: masked.map(({ chunks }) => chunks[chunk]!),
  }));
  const summed = await compute.run('sum', { parts, shape, peers: PEERS });
  const opened = await compute.run('unmask', {
    sums: summed.sums.map(({ bytes }) => bytes),
    terms: selfMasks.map((seed) => ({ seed, sign: -1 })),
    shape,
    peers: PEERS,
    survivors: PEERS,
  });
  const model = new Float32Array(WEIGHTS).fill(0.5);
  const state = encodeState({ round: 0, model, trainable: WEIGHTS, moments: [] });
  const { words } = opened;
  const applied = await compute.run('apply', {
    state,
    cells: [{ words, survivors: PEERS }],
    codec,
  });
  return { inputs, masked, summed, opened, applied };
}

test('masked, added, unmasked and applied, updates become their plain mean', async () => {
  const { inputs, masked, summed, opened, applied } = await aggregate(inlineCompute);
  expect(masked[0]!.chunks.length).toBeGreaterThan(1);
  for (const { chunks, hashes } of masked) {
    expect(hashes).toEqual(chunks.map((chunk) => sha256(chunk)));
  }
  for (const { bytes, hash } of summed.sums) expect(hash).toEqual(sha256(bytes));
  const plain = inputs[0]!.words.map((_, i) =>
    inputs.reduce((sum, { words }) => sum + words[i]!, 0),
  );
  expect(opened).toEqual({ words: plain, inRange: true });
  expect(applied.metrics).toEqual({ lossSum: 90, correct: 21, examples: 30, seconds: 0 });
  const { model, round } = decodeState(applied.state);
  expect(round).toBe(1);
  const off = model.map((weight, i) => {
    const mean = updates.reduce((sum, update) => sum + update[i]! / PEERS, 0);
    return Math.abs(weight - 0.5 - mean);
  });
  // One step of the grid, and the last bit of a float32.
  expect(Math.max(...off)).toBeLessThan(grid.step + 1e-6);
});

test('a missing mask shows as a sum out of range', async () => {
  const { summed } = await aggregate(inlineCompute);
  const terms = selfMasks.slice(1).map((seed): PlainTerm => ({ seed, sign: -1 }));
  const sums = summed.sums.map(({ bytes }) => bytes);
  const input = { sums, terms, shape, peers: PEERS, survivors: PEERS };
  expect((await inlineCompute.run('unmask', input)).inRange).toBe(false);
});

test('an update above the clipping norm is scaled down to it', async () => {
  const narrow = { ...codec, clippingNorm: 1 };
  const update = Float32Array.of(30, -40);
  const input = {
    update,
    trainable: update.length,
    effort,
    metrics,
    seed: seeds[0]!,
    codec: narrow,
  };
  const { words } = await inlineCompute.run('quantise', input);
  const { step, range } = updateCodec(narrow);
  const [x, y] = [words[0]! * step - range, words[1]! * step - range];
  expect(Math.abs(x - 0.6)).toBeLessThan(step);
  expect(Math.abs(y + 0.8)).toBeLessThan(step);
});

test('the tags of masked chunks add up to the tags of their sums', async () => {
  const { masked, summed } = await aggregate(inlineCompute);
  const seed = random.bytes(32);
  const partsOf = (chunks: readonly Uint8Array[]) =>
    chunks.map((bytes, chunk) => ({ chunk, bytes }));
  const tagsOf = async (chunks: readonly Uint8Array[], bits: number) => {
    const { tags } = await inlineCompute.run('tag', { parts: partsOf(chunks), bits, shape, seed });
    return tags;
  };
  const ofInputs = await Promise.all(masked.map(({ chunks }) => tagsOf(chunks, shape.bits)));
  const sums = summed.sums.map(({ bytes }) => bytes);
  const ofSums = await tagsOf(sums, ringBudget(shape.bits, PEERS));
  expect(ofSums).toEqual(sums.map((_, chunk) => addTags(ofInputs.map((tags) => tags[chunk]!))));
  // And a chunk's tag says where in the vector it lies.
  const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
  const words = unpackWords(masked[0]!.chunks[1]!, shape.bits, layout.wordsOf(1));
  expect(ofInputs[0]![1]).toEqual(tagOf(words, new Secret(seed), layout.offsetOf(1)));
});

/** A round, and tags, on so many workers. */
async function roundOn(compute: Compute): Promise<unknown> {
  const run = await aggregate(compute);
  const parts = run.masked[1]!.chunks.map((bytes, chunk) => ({ chunk, bytes }));
  const input = { parts, bits: shape.bits, shape, seed: seeds[0]! };
  const { tags } = await compute.run('tag', input);
  const { model } = await compute.run('decode', { state: run.applied.state.slice() });
  return { ...run, tags, model };
}

test.each([1, 2, 3, 7])('%i workers compute what is computed in line', async (workers) => {
  const pool = createComputePool(WORKER, { workers, splitFromWords: 1 });
  onTestFinished(() => pool.close());
  expect(await roundOn(pool)).toEqual(await roundOn(inlineCompute));
});

test('large vectors are shared with the workers and not copied', async () => {
  const pool = createComputePool(WORKER, { workers: 1 });
  onTestFinished(() => pool.close());
  const update = new Float32Array(30_000);
  const { words } = await pool.run('quantise', {
    update,
    trainable: update.length,
    effort,
    metrics,
    seed: seeds[0]!,
    codec,
  });
  const large: RingShape = { ...shape, length: words.length, chunkBytes: 64 * 1024 };
  const { chunks } = await pool.run('mask', { words, terms: termsOf(0), shape: large });
  expect(words.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(words).toHaveLength(30_000 + metricWords(grid));
  expect(chunks[0]!.buffer).toBeInstanceOf(SharedArrayBuffer);
  // What was given away is gone here.
  expect(update).toHaveLength(0);
});

test('errors of the worker thread are those of the kernels', async () => {
  const pool = createComputePool(WORKER);
  onTestFinished(() => pool.close());
  const seed = seeds[0]!;
  const update = Float32Array.of(1, Number.NaN);
  const notFinite = pool.run('quantise', {
    update,
    trainable: update.length,
    effort,
    metrics,
    seed,
    codec,
  });
  await expect(notFinite).rejects.toThrow(ProtocolError);
  await expect(notFinite).rejects.toMatchObject({ code: 'not-finite' });
  const wrong = { sums: [], terms: [], shape, peers: PEERS, survivors: PEERS };
  await expect(pool.run('unmask', wrong)).rejects.toThrow(InvariantError);
  // And the thread is still there.
  const again = pool.run('quantise', {
    update: Float32Array.of(1),
    trainable: 1,
    effort,
    metrics,
    seed,
    codec,
  });
  expect((await again).words).toHaveLength(1 + metricWords(grid));
});

test('a task whose pieces fail on several workers fails as a whole', async () => {
  const pool = createComputePool(WORKER, { workers: 2, splitFromWords: 1 });
  onTestFinished(() => pool.close());
  const parts = [0, 1].map((chunk) => ({ chunk, packed: [new Uint8Array(3)] }));
  const input = { parts, shape, peers: PEERS };
  await expect(pool.run('sum', input)).rejects.toMatchObject({ code: 'packing' });
});

test('a closed pool says so to what it was doing, and starts nothing more', async () => {
  const pool = createComputePool(WORKER);
  const input = {
    update: updates[0]!,
    trainable: WEIGHTS,
    effort,
    metrics,
    seed: seeds[0]!,
    codec,
  };
  const closed = { code: 'closed' };
  const pending = expect(pool.run('quantise', input)).rejects.toMatchObject(closed);
  await pool.close();
  await pending;
  await expect(pool.run('quantise', input)).rejects.toMatchObject(closed);
});

test('buffers have their own range, and clipping the weights leaves them alone', async () => {
  const values = Float32Array.of(3, -4, 40, -45);
  const narrow = { ...codec, clippingNorm: 1 };
  const { words } = await inlineCompute.run('quantise', {
    ...{ update: values.slice(), trainable: 2, effort, metrics, seed: seeds[0]!, codec: narrow },
  });
  const state = encodeState({
    ...{ round: 0, model: new Float32Array(4), trainable: 2, moments: [] },
  });
  const { state: next } = await inlineCompute.run('apply', {
    ...{ state, cells: [{ words, survivors: 1 }], codec: narrow },
  });
  const { model } = decodeState(next);
  expect([...model].map((value) => Math.round(value * 100) / 100)).toEqual([0.6, -0.8, 40, -45]);
});

test('by examples, with normalised steps: applied is the weighted, normalised mean', async () => {
  const nova: JobCodec = { ...codec, weightCap: 100, referenceSteps: 4 };
  const length = 1_000;
  const efforts = [
    { examples: 50, localSteps: 2 },
    { examples: 400, localSteps: 8 },
  ];
  const values = [0.25, -0.5];
  const inputs = await Promise.all(
    efforts.map((effort, i) => {
      const update = new Float32Array(length).fill(values[i]!);
      const task = { update, trainable: length, effort, metrics, seed: seeds[i]!, codec: nova };
      return inlineCompute.run('quantise', task);
    }),
  );
  const sum = inputs[0]!.words.map((word, i) => word + inputs[1]!.words[i]!);
  const model = new Float32Array(length);
  const state = encodeState({ round: 0, model, trainable: length, moments: [] });
  const task = { state, cells: [{ words: sum, survivors: 2 }], codec: nova };
  const after = decodeState((await inlineCompute.run('apply', task)).state);
  // Weights 1/2 and 1; per step of four: 0.5 and −0.25; steps (1/2·2 + 8) / (3/2) = 6 of 4.
  const expected = ((0.5 * 0.5 - 0.25) / 1.5) * (6 / 4);
  for (const value of after.model) expect(Math.abs(value - expected)).toBeLessThan(2 * grid.step);
});
