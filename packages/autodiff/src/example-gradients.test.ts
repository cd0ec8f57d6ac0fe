import { GraphBuilder, type Model, tensorOf, writeModel } from '@starling/onnx';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { feedsOf } from '../../../test/helpers/run-graph.ts';
import {
  buildEpochGraph,
  createGenerator,
  EPOCH_INPUTS,
  type EpochGraphOptions,
  type EpochPlan,
  initialVector,
  type OptimizerSettings,
  optimizerSettings,
  planEpochs,
  planSamples,
  stepsPerEpoch,
  zooModel,
} from './index.ts';
import { referenceTraining } from './testing/reference-training.ts';
import { wholeRun } from './testing/whole-run.ts';

const INPUTS = 4;
const OUTPUTS = 3;
const EXAMPLES = 9;
const RATE = 0.3;
const LENGTH = INPUTS * OUTPUTS + OUTPUTS;

/** y = x·w + b with small weights. */
function linearModel(): Model {
  const generator = createGenerator(5);
  const builder = new GraphBuilder();
  const x = builder.input('input', { dtype: 'float32', shape: [1, INPUTS] });
  const random = (shape: readonly number[], name: string) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const values = Array.from({ length: count }, () => generator.uniform() - 0.5);
    return builder.constant(tensorOf('float32', shape, values), name);
  };
  const y = builder.add('Gemm', [x, random([INPUTS, OUTPUTS], 'w'), random([OUTPUTS], 'b')]);
  const { inputs, outputs, ...graph } = builder.finish('linear', [y]);
  const open = (values: typeof inputs) =>
    values.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(inputs), outputs: open(outputs) } };
}

const VECTOR = initialVector(linearModel());

/** Some examples have gradients ten times as long as others. */
function drawnData(seed: number) {
  const generator = createGenerator(seed);
  const data = Array.from({ length: EXAMPLES }, (_, i) =>
    Array.from({ length: INPUTS }, () => Math.fround((1 + i) * (generator.uniform() - 0.5))),
  );
  return { data, targets: data.map(() => generator.below(OUTPUTS)) };
}

interface Given {
  readonly data: readonly (readonly number[])[];
  readonly targets: readonly number[];
  /** Examples of each step. */
  readonly steps: readonly (readonly number[])[];
  readonly bound: number;
  /** [steps, parameters] */
  readonly noise: Float32Array;
  readonly optimizer?: OptimizerSettings;
  readonly more?: Partial<EpochGraphOptions>;
}

/** @param expected examples of a step on average */
const planOf = (steps: number, expected: number): EpochPlan => ({
  ...planSamples({ examples: EXAMPLES, batchSize: expected, epochs: 1 }),
  steps,
});

async function trained(given: Given, expected = 3): Promise<number[]> {
  const { data, targets, steps, bound, noise, more } = given;
  const optimizer = given.optimizer ?? optimizerSettings('sgd');
  const plan = planOf(steps.length, expected);
  const graph = buildEpochGraph({
    ...{ model: linearModel(), loss: 'softmax-cross-entropy', plan, optimizer },
    data: { dtype: 'float32', example: [INPUTS], scale: 1 },
    ...{ exampleClipping: bound, ...more },
  });
  const session = await InferenceSession.create(writeModel(graph.model), { logSeverityLevel: 3 });
  const order = new Int32Array(steps.length * plan.accumulation);
  for (const [i, rows] of steps.entries()) order.set(rows, i * plan.accumulation);
  const counts = BigInt64Array.from(steps, (rows) => BigInt(rows.length));
  const floats = (values: ArrayLike<number>, shape: readonly number[]) =>
    new Tensor('float32', Float32Array.from(values), shape);
  const results = await session.run({
    ...feedsOf(wholeRun({ graph, plan, vector: VECTOR, optimizer })),
    [EPOCH_INPUTS.data]: floats(data.flat(), [EXAMPLES, INPUTS]),
    [EPOCH_INPUTS.targets]: new Tensor('int32', Int32Array.from(targets), [EXAMPLES]),
    [EPOCH_INPUTS.order]: new Tensor('int32', order, [steps.length, plan.accumulation, 1]),
    [EPOCH_INPUTS.minibatches]: new Tensor('int64', counts, [steps.length]),
    [EPOCH_INPUTS.gradientNoise]: floats(noise, [steps.length, LENGTH]),
    [EPOCH_INPUTS.learningRate]: floats([RATE], []),
    [EPOCH_INPUTS.clippingNorm]: floats([1e9], []),
  });
  return Array.from(results['update']!.data as Float32Array);
}

const lengthOf = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const silence = (steps: number) => new Float32Array(steps * LENGTH);

/** Gradient of one example's loss, by a step of plain SGD in double precision. */
function gradientOf({ data, targets }: Given, row: number, at: readonly number[]): number[] {
  const { vector } = oneStep(data[row]!, targets[row]!, at);
  return at.map((value, i) => value - vector[i]!);
}

const oneStep = (example: readonly number[], target: number, at: readonly number[]) =>
  referenceTraining({
    ...{ loss: 'softmax-cross-entropy', data: [example], targets: [target], rates: [1] },
    ...{ plan: planEpochs({ examples: 1, batchSize: 1, epochs: 1 }), order: Int32Array.of(0) },
    ...{ optimizer: optimizerSettings('sgd'), vector: at, outputs: OUTPUTS },
  });

/** DP-SGD as algorithm 1 of Abadi et al. 2016 has it. */
function reference(given: Given, expected: number): number[] {
  let weights = Array.from(VECTOR);
  for (const [step, rows] of given.steps.entries()) {
    const sum = Array.from(given.noise.subarray(step * LENGTH, (step + 1) * LENGTH));
    for (const row of rows) {
      const gradient = gradientOf(given, row, weights);
      const factor = Math.min(1, given.bound / lengthOf(gradient));
      for (const [i, value] of gradient.entries()) sum[i]! += value * factor;
    }
    weights = weights.map((weight, i) => weight - (RATE * sum[i]!) / expected);
  }
  return weights.map((weight, i) => weight - VECTOR[i]!);
}

function expectClose(found: readonly number[], wanted: readonly number[], relative: number) {
  const distance = lengthOf(found.map((value, i) => value - wanted[i]!));
  expect(lengthOf(wanted)).toBeGreaterThan(1e-3);
  expect(distance / lengthOf(wanted)).toBeLessThan(relative);
}

describe('one step of DP-SGD', () => {
  test('the reference has the gradients that finite differences have', () => {
    const given = { ...drawnData(1), steps: [], bound: 1, noise: silence(0) };
    const at = Array.from(VECTOR);
    for (const row of [0, 4, 8]) {
      const loss = (i: number, by: number) => {
        const moved = at.with(i, at[i]! + by);
        return oneStep(given.data[row]!, given.targets[row]!, moved).losses[0]!;
      };
      for (const [i, value] of gradientOf(given, row, at).entries()) {
        expect((loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5).toBeCloseTo(value, 6);
      }
    }
  });

  test.each([0.05, 0.5, 2, 1e3])('clips each example on its own: bound %d', async (bound) => {
    const generator = createGenerator(3);
    const noise = silence(3).map(() => generator.uniform() - 0.5);
    const steps = [[0, 5, 8, 2], [7], [1, 3]];
    const given = { ...drawnData(2), steps, bound, noise };
    expectClose(await trained(given), reference(given, 3), 3e-4);
    // Clipping the sum would be another thing.
    const gradients = steps[0]!.map((row) => gradientOf(given, row, Array.from(VECTOR)));
    if (bound === 2) expect(gradients.some((each) => lengthOf(each) < bound)).toBe(true);
    if (bound < 1e3) expect(gradients.some((each) => lengthOf(each) > bound)).toBe(true);
  });

  test('no example moves a sum by more than the bound', async () => {
    const { data, targets } = drawnData(4);
    const bound = 0.01;
    for (const scale of [1, 1e6, 1e15]) {
      const long = data.map((row) => row.map((value) => Math.fround(value * scale)));
      const given = { data: long, targets, bound, noise: silence(1) };
      for (let row = 0; row < EXAMPLES; row++) {
        const update = await trained({ ...given, steps: [[row]] });
        const moved = (lengthOf(update) * 3) / RATE;
        expect(moved).toBeLessThan(bound * (1 + 1e-4));
        const gradient = lengthOf(gradientOf({ ...given, steps: [] }, row, Array.from(VECTOR)));
        if (gradient > bound) expect(moved).toBeGreaterThan(bound * (1 - 1e-3));
      }
    }
  });

  test('an example whose gradient is no number counts for nothing', async () => {
    const { data, targets } = drawnData(5);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
      const broken = data.with(1, new Array<number>(INPUTS).fill(value));
      const given = { data: broken, targets, bound: 0.5, noise: silence(1).fill(0.1) };
      const some = await trained({ ...given, steps: [[0, 1, 2]] });
      const rest = await trained({ ...given, steps: [[0, 2]] });
      expect(some).toEqual(rest);
    }
  });

  test('a step that draws nobody is noise, and no step counts whom it drew', async () => {
    const noise = silence(1).map((_, i) => i - 7);
    const given = { ...drawnData(6), bound: 1, noise };
    const update = await trained({ ...given, steps: [[]] });
    expectClose(
      update,
      Array.from(noise, (value) => (-RATE * value) / 3),
      1e-6,
    );
    // The divisor is what is expected, however many there are.
    const twice = await trained({ ...given, steps: [[2, 2]], noise: silence(1) });
    const once = await trained({ ...given, steps: [[2]], noise: silence(1) });
    expectClose(
      twice,
      once.map((value) => 2 * value),
      1e-6,
    );
  });

  test.each([
    optimizerSettings('sgd', { momentum: 0.9, weightDecay: 0.01 }),
    optimizerSettings('adam'),
  ])('with room for all gradients it is plain training: %j', async (optimizer) => {
    const steps = [
      [0, 1, 2],
      [5, 3, 4],
      [8, 7, 6],
    ];
    const given = { ...drawnData(7), steps, bound: 1e4, noise: silence(3), optimizer };
    const plain = referenceTraining({
      ...{ loss: 'softmax-cross-entropy', ...drawnData(7), optimizer, outputs: OUTPUTS },
      plan: planEpochs({ examples: EXAMPLES, batchSize: 3, epochs: 1 }),
      ...{ order: Int32Array.from(steps.flat()), rates: [RATE, RATE, RATE], vector: VECTOR },
    });
    const moved = plain.vector.map((value, i) => value - VECTOR[i]!);
    expectClose(await trained(given), moved, 1e-4);
  });

  test('a pull to where the training began needs no noise', async () => {
    const noise = silence(2).fill(0.2);
    const given = { ...drawnData(8), steps: [[0], [1]], bound: 0.5, noise };
    const free = await trained(given);
    const held = await trained({ ...given, more: { proximal: 0.5 } });
    expect(lengthOf(held)).toBeLessThan(lengthOf(free));
  });
});

test('a model that mixes the examples of a minibatch is refused', () => {
  const build = () =>
    buildEpochGraph({
      ...{ model: zooModel('resnet20', 1), loss: 'softmax-cross-entropy', exampleClipping: 1 },
      plan: planSamples({ examples: 100, batchSize: 10, epochs: 1 }),
      data: { dtype: 'uint8', example: [3, 32, 32], scale: 1 / 255 },
    });
  expect(build).toThrow('no gradient is of one example alone: BatchNormalization');
});

test('a plan of samples has the steps of the other, and room for nearly all of them', () => {
  const options = fc.record({
    examples: fc.integer({ min: 1, max: 100_000 }),
    batchSize: fc.integer({ min: 1, max: 2_000 }),
    epochs: fc.integer({ min: 1, max: 5 }),
    accumulation: fc.integer({ min: 1, max: 4 }),
    stepsMax: fc.integer({ min: 0, max: 100 }),
  });
  fc.assert(
    fc.property(options, (given) => {
      const plan = planSamples(given);
      const plain = planEpochs(given);
      const expected = plan.sampled!;
      expect(plan).toMatchObject({ batchSize: 1, steps: plain.steps, epochs: given.epochs });
      expect(expected).toBe(Math.min(given.examples, plain.batchSize * plain.accumulation));
      expect(stepsPerEpoch(plan)).toBe(Math.ceil(given.examples / expected));
      if (plan.accumulation >= given.examples) return;
      // Bernstein: P[X ≥ μ + t] ≤ exp(−t² / 2(μ + t/3)).
      const t = plan.accumulation - expected;
      expect((t * t) / (2 * (expected + t / 3))).toBeGreaterThan(70);
    }),
  );
});
