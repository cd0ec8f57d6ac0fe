import {
  type Combination,
  decodeState,
  encodeState,
  FEDAVG,
  initialState,
  type JobCodec,
  MEAN,
  weightCodec,
} from '@starling/federation';
import { expect, test } from 'vitest';
import { seededRandom } from '../../sim/src/prng.ts';
import { inlineCompute, type OpenedCell } from './compute.ts';

const WEIGHTS = 40_000;
const BUFFERS = 6;
const BASE: JobCodec = {
  ...{ bits: 10, peersMax: 16, clippingNorm: 2, bufferRange: 50 },
  optimizer: FEDAVG,
  combination: MEAN,
};
const publicSeed = new Uint8Array(32).fill(9);
const effort = { examples: 100, localSteps: 4 };
const metrics = { lossSum: 30.4, correct: 7, examples: 10 };
const random = seededRandom(8, 0, 0);

/** Weights within the clipping norm, with heavy tails; buffers within their range. */
function drawUpdate(): Float32Array {
  const bytes = random.bytes(WEIGHTS + BUFFERS);
  const values = Float32Array.from(bytes, (byte) => ((byte - 127.5) / 128) ** 5);
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return values.map((value, i) => (i < WEIGHTS ? (1.5 * value) / norm : 40 * value));
}

const quantise = (update: Float32Array, codec: JobCodec) =>
  inlineCompute.run('quantise', {
    ...{ update: update.slice(), trainable: WEIGHTS, effort, metrics, codec, publicSeed },
    seed: random.bytes(32),
  });

/** The opened sum of a cell of these updates. */
async function cellOf(updates: readonly Float32Array[], codec: JobCodec): Promise<OpenedCell> {
  const inputs = await Promise.all(updates.map((update) => quantise(update, codec)));
  const words = inputs[0]!.words.map((_, i) => {
    return inputs.reduce((all, input) => all + input.words[i]!, 0);
  });
  expect(words.reduce((most, word) => Math.max(most, word), 0)).toBeLessThan(2 ** codec.bits);
  return { words, survivors: updates.length };
}

async function applied(cells: readonly OpenedCell[], codec: JobCodec) {
  const model = new Float32Array(WEIGHTS + BUFFERS);
  const state = encodeState(initialState(model, WEIGHTS, codec.optimizer));
  const out = await inlineCompute.run('apply', { state, cells, codec, publicSeed });
  return { ...out, model: decodeState(out.state).model };
}

const normOf = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const distance = (a: Float32Array, b: Float32Array) => normOf(a.map((value, i) => value - b[i]!));
const meanOf = (updates: readonly Float32Array[]) =>
  updates[0]!.map((_, i) => updates.reduce((sum, each) => sum + each[i]! / updates.length, 0));
const weightsOf = (vector: Float32Array) => vector.subarray(0, WEIGHTS);

test.each([8, 10, 12, 16])('%i bits: the rotated mean is nearly the plain one', async (bits) => {
  const codec: JobCodec = { ...BASE, bits, rotation: 'hadamard' };
  const updates = Array.from({ length: 5 }, drawUpdate);
  const cell = await cellOf(updates, codec);
  const { model, metrics: opened } = await applied([cell], codec);
  const mean = meanOf(updates);
  // Stochastic rounding is off by at most half a step's deviation in each coordinate.
  const { step } = weightCodec(codec, WEIGHTS);
  const most = (1.05 * (step / 2) * Math.sqrt(WEIGHTS)) / Math.sqrt(updates.length);
  expect(distance(weightsOf(model), weightsOf(mean))).toBeLessThan(most);
  const turnedAlike = await applied([cell], codec);
  expect(turnedAlike.stateHash).toBe((await applied([cell], codec)).stateHash);
  // Buffers and metrics are numbers of 18 bits in any ring.
  for (let i = WEIGHTS; i < model.length; i++) {
    expect(Math.abs(model[i]! - mean[i]!)).toBeLessThan((2 * 50) / (2 ** 18 - 1) + 1e-5);
  }
  expect(opened).toEqual({ lossSum: 150, correct: 35, examples: 50, seconds: 0 });
});

const COMBINATIONS: readonly Combination[] = [
  { kind: 'norm-clip' },
  { kind: 'centered-clip' },
  { kind: 'geometric-median' },
  { kind: 'multi-krum', corrupt: 0.25 },
  { kind: 'median' },
  { kind: 'trimmed-mean', corrupt: 0.25 },
];
test.each(COMBINATIONS)(
  '$kind over rotated cells is what it is over plain ones',
  async (combination) => {
    const plain: JobCodec = { ...BASE, bits: 22, combination };
    const turned: JobCodec = { ...plain, rotation: 'hadamard' };
    const groups = Array.from({ length: 5 }, () => [drawUpdate(), drawUpdate()]);
    // One cell lies.
    groups[3] = groups[3]!.map((update) => update.map((value) => -1.3 * value + 0.001));
    const cells = (codec: JobCodec) => Promise.all(groups.map((updates) => cellOf(updates, codec)));
    const [a, b] = [
      await applied(await cells(plain), plain),
      await applied(await cells(turned), turned),
    ];
    const size = normOf(weightsOf(a.model));
    expect(size).toBeGreaterThan(0.01);
    expect(distance(weightsOf(a.model), weightsOf(b.model))).toBeLessThan(0.02 * size);
  },
);

const FEEDBACK: JobCodec = { ...BASE, bits: 8, rotation: 'hadamard', errorFeedback: true };

test.each([0.4, 1])('words and residual are the update, weighted by %d', async (weight) => {
  const codec: JobCodec = { ...FEEDBACK, weightCap: 100 / weight };
  const [update, before] = [drawUpdate(), weightsOf(drawUpdate()).map((value) => value / 4)];
  const task = { trainable: WEIGHTS, effort, metrics, codec, publicSeed, seed: random.bytes(32) };
  const input = { ...task, update: update.slice(), residual: before };
  const { words, residual } = await inlineCompute.run('quantise', input);
  // Applied alone, words are divided by their weight.
  const { model } = await applied([{ words, survivors: 1 }], codec);
  const all = weightsOf(update).map((value, i) => value + before[i]!);
  const both = weightsOf(model).map((value, i) => value + residual![i]!);
  expect(distance(both, all)).toBeLessThan(1e-5);
  expect(normOf(residual!)).toBeGreaterThan(0.01);
});

test('what clipping takes is kept, but never more than another update', async () => {
  const long = drawUpdate().map((value) => 2 * value);
  const task = { trainable: WEIGHTS, effort, metrics, codec: FEEDBACK, publicSeed };
  let residual: Float32Array | undefined;
  const norms: number[] = [];
  for (let round = 0; round < 6; round++) {
    const input = { ...task, update: long.slice(), residual, seed: random.bytes(32) };
    residual = (await inlineCompute.run('quantise', input)).residual!;
    norms.push(normOf(residual));
  }
  expect(norms[0]).toBeGreaterThan(1);
  expect(norms.at(-1)).toBeCloseTo(FEEDBACK.clippingNorm, 4);
});

test('a job without error feedback leaves nothing over', async () => {
  const { residual } = await quantise(drawUpdate(), { ...BASE, rotation: 'hadamard' });
  expect(residual).toBeUndefined();
});

/**
 * Distance to the optimum of five peers' quadratics ½‖x − aᵢ‖², each taking a small step a round,
 * averaged over the last rounds.
 */
async function quadratic(codec: JobCodec): Promise<number> {
  const [length, peers, rounds, rate] = [256, 5, 160, 0.1];
  const optima = Array.from({ length: peers }, () =>
    Float32Array.from(random.bytes(length), (byte) => (byte - 127.5) / 1_000),
  );
  const optimum = meanOf(optima);
  const residuals: (Float32Array | undefined)[] = optima.map(() => undefined);
  let state = encodeState(initialState(new Float32Array(length), length, FEDAVG));
  let far = 0;
  for (let round = 0; round < rounds; round++) {
    const { model } = decodeState(state);
    const publicSeed = new Uint8Array(32).fill(round);
    const inputs: Uint32Array[] = [];
    for (const [peer, center] of optima.entries()) {
      const update = model.map((value, i) => rate * (center[i]! - value));
      const task = { update, trainable: length, effort, metrics, codec, publicSeed };
      const kept = { residual: residuals[peer], seed: random.bytes(32) };
      const out = await inlineCompute.run('quantise', { ...task, ...kept });
      residuals[peer] = out.residual;
      inputs.push(out.words);
    }
    const words = inputs[0]!.map((_, i) => inputs.reduce((sum, each) => sum + each[i]!, 0));
    const cells = [{ words, survivors: peers }];
    state = (await inlineCompute.run('apply', { state, cells, codec, publicSeed })).state;
    if (round >= rounds - 40) far += distance(decodeState(state).model, optimum) / 40;
  }
  return far / normOf(optimum);
}

test('a fifth of the weights a round: error feedback nearly solves the quadratic', async () => {
  // What waits is up to five rounds' updates: the clipping norm has room for them.
  const codec: JobCodec = { ...FEEDBACK, bits: 12, sparsity: 0.2, clippingNorm: 2 };
  const { errorFeedback: _, ...plain } = codec;
  const [alone, fed] = [await quadratic(plain), await quadratic(codec)];
  expect(fed).toBeLessThan(0.06);
  expect(fed).toBeLessThan(0.6 * alone);
});

test('with error feedback a quadratic gets nearer to its optimum than 8 bits alone', async () => {
  // A clipping norm of what updates are at first: plain rounding leaves a noise that stays.
  const codec: JobCodec = { ...FEEDBACK, clippingNorm: 0.5 };
  const { errorFeedback: _, ...plain } = codec;
  const [alone, fed] = [await quadratic(plain), await quadratic(codec)];
  expect(fed).toBeLessThan(0.6 * alone);
});

const SPARSE: JobCodec = { ...BASE, bits: 16, sparsity: 0.1 };

test.each([undefined, 'hadamard'] as const)(
  'a tenth of the weights, rotation %s',
  async (rotation) => {
    const codec: JobCodec = { ...SPARSE, ...(rotation && { rotation }) };
    const updates = Array.from({ length: 4 }, drawUpdate);
    const cell = await cellOf(updates, codec);
    expect(cell.words.length).toBeLessThan(0.11 * WEIGHTS);
    const { model } = await applied([cell], codec);
    const [got, mean] = [weightsOf(model), weightsOf(meanOf(updates))];
    if (rotation === undefined) {
      const sent = got.map((value, i) => (value === 0 ? 0 : mean[i]!));
      // Ten times what was sent, so that it is right on average over the draws.
      expect(
        distance(
          got,
          sent.map((value) => 10 * value),
        ),
      ).toBeLessThan(0.5);
      expect(sent.filter((value) => value !== 0).length).toBeLessThan(0.11 * WEIGHTS);
    }
    const product = got.reduce((sum, value, i) => sum + value * mean[i]!, 0);
    expect(Math.abs(product / normOf(mean) ** 2 - 1)).toBeLessThan(0.3);
    // Buffers are always sent.
    for (let i = WEIGHTS; i < model.length; i++) {
      expect(Math.abs(model[i]! - meanOf(updates)[i]!)).toBeLessThan(1e-3);
    }
  },
);

test.each(COMBINATIONS)('$kind over cells that send a part', async (combination) => {
  const sparse: JobCodec = { ...BASE, bits: 22, combination, sparsity: 0.5, errorFeedback: true };
  for (const codec of [sparse, { ...sparse, rotation: 'hadamard' }] as const) {
    const cells = await Promise.all(
      [1, 2, 3].map(() => cellOf([drawUpdate(), drawUpdate()], codec)),
    );
    const { model, stateHash } = await applied(cells, codec);
    expect(normOf(weightsOf(model))).toBeGreaterThan(0.01);
    expect((await applied(cells, codec)).stateHash).toBe(stateHash);
  }
});

test('with error feedback a part is sent as it is, and the rest comes later', async () => {
  const codec: JobCodec = { ...SPARSE, rotation: 'hadamard', errorFeedback: true };
  const update = drawUpdate();
  const task = { trainable: WEIGHTS, effort, metrics, codec, publicSeed, seed: random.bytes(32) };
  const { words, residual } = await inlineCompute.run('quantise', {
    ...task,
    update: update.slice(),
  });
  const { model } = await applied([{ words, survivors: 1 }], codec);
  const both = weightsOf(model).map((value, i) => value + residual![i]!);
  expect(distance(both, weightsOf(update))).toBeLessThan(1e-5);
  // About the root of nine tenths of it.
  expect(normOf(residual!) / normOf(weightsOf(update))).toBeCloseTo(Math.sqrt(0.9), 1);
});
