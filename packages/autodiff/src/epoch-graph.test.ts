import { type Graph, GraphBuilder, type Model, tensorOf, writeModel } from '@starling/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { feedsOf } from '../../../test/helpers/run-graph.ts';
import {
  buildEpochGraph,
  CONSTANT_RATE,
  createGenerator,
  EPOCH_INPUTS,
  type EpochGraphOptions,
  initialVector,
  type LossKind,
  type LossOptions,
  learningRates,
  minibatchOrder,
  type OptimizerName,
  type OptimizerSettings,
  optimizerSettings,
  orderShape,
  planEpochs,
  type Schedule,
  variesWithinRun,
} from './index.ts';
import { referenceTraining } from './testing/reference-training.ts';
import { wholeRun } from './testing/whole-run.ts';

const INPUTS = 4;
const OUTPUTS = 3;
const EXAMPLES = 11;
const RATE = 0.05;

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

interface Setting {
  readonly loss?: Exclude<LossKind, 'model-output'>;
  readonly lossOptions?: LossOptions;
  readonly optimizer?: OptimizerSettings;
  readonly batchSize?: number;
  readonly epochs?: number;
  readonly accumulation?: number;
  readonly schedule?: Schedule;
  readonly clipping?: EpochGraphOptions['clipping'];
  readonly proximal?: number;
  readonly control?: boolean;
}

function drawnData(loss: LossKind, seed: number) {
  const generator = createGenerator(seed);
  const draw = (width: number) => Array.from({ length: width }, () => 2 * generator.uniform() - 1);
  const data = Array.from({ length: EXAMPLES }, () => draw(INPUTS).map(Math.fround));
  const numbers = data.map(() => draw(OUTPUTS).map((value) => Math.fround(2 * value)));
  const shares = numbers.map((row) => row.map((value) => Number(value > 0)));
  const labels = data.map(() => generator.below(OUTPUTS));
  if (loss === 'softmax-cross-entropy') return { data, targets: labels };
  return { data, targets: loss === 'sigmoid-binary-cross-entropy' ? shares : numbers };
}

/** Both the epoch graph and the reference, from the same start and in the same order. */
async function bothTrained(setting: Setting, seed: number) {
  const { loss = 'softmax-cross-entropy', optimizer = optimizerSettings('sgd') } = setting;
  const { batchSize = 4, epochs = 2, accumulation = 1, schedule = CONSTANT_RATE } = setting;
  const plan = planEpochs({ examples: EXAMPLES, batchSize, epochs, accumulation });
  const model = linearModel();
  const vector = initialVector(model);
  const { data, targets } = drawnData(loss, seed);
  const generator = createGenerator(seed + 100);
  const rows = Int32Array.from({ length: EXAMPLES }, (_, i) => i);
  const order = minibatchOrder(plan, rows, generator);
  const rates = learningRates(RATE, schedule, { steps: plan.steps, round: 0, rounds: 1 });
  const control = vector.map(() => generator.uniform() - 0.5);
  const { lossOptions, clipping, proximal } = setting;
  const options = {
    ...(lossOptions && { lossOptions }),
    ...(clipping && { clipping }),
    ...(proximal && { proximal }),
  };
  const resident = { dtype: 'float32', example: [INPUTS], scale: 1 } as const;
  const graph = buildEpochGraph({
    ...{ model, loss, plan, optimizer, data: resident, ...options },
    ratePerStep: variesWithinRun(schedule),
    control: setting.control ?? false,
  });
  const session = await InferenceSession.create(writeModel(graph.model), { logSeverityLevel: 3 });
  const floats = (values: readonly number[] | Float32Array, shape: readonly number[]) =>
    new Tensor('float32', Float32Array.from(values), shape);
  const ours = await session.run({
    ...feedsOf(wholeRun({ graph, plan, vector, optimizer })),
    [EPOCH_INPUTS.data]: floats(data.flat(), [EXAMPLES, INPUTS]),
    [EPOCH_INPUTS.targets]:
      loss === 'softmax-cross-entropy'
        ? new Tensor('int32', Int32Array.from(targets as number[]), [EXAMPLES])
        : floats(targets.flat(), [EXAMPLES, OUTPUTS]),
    [EPOCH_INPUTS.order]: new Tensor('int32', order, orderShape(plan, plan.steps)),
    [EPOCH_INPUTS.learningRate]: variesWithinRun(schedule)
      ? floats(rates, [plan.steps])
      : floats([rates[0]!], []),
    [EPOCH_INPUTS.clippingNorm]: floats([1e9], []),
    ...(setting.control && { [EPOCH_INPUTS.control]: floats(control, [control.length]) }),
  });
  const wanted = referenceTraining({
    ...{ loss, data, targets, plan, order, optimizer, rates, vector, outputs: OUTPUTS, ...options },
    ...(setting.control && { control }),
  });
  const read = (name: string) => Array.from(ours[name]!.data as Float32Array);
  return { update: read('update'), losses: read('losses'), vector, wanted };
}

async function expectSame(setting: Setting): Promise<void> {
  for (const seed of [1, 2]) {
    const { update, losses, vector, wanted } = await bothTrained(setting, seed);
    const moved = wanted.vector.map((value, i) => value - vector[i]!);
    const length = Math.sqrt(moved.reduce((sum, value) => sum + value ** 2, 0));
    const distance = Math.sqrt(moved.reduce((sum, value, i) => sum + (value - update[i]!) ** 2, 0));
    expect(length).toBeGreaterThan(1e-3);
    expect(distance / length).toBeLessThan(2e-5);
    expect(losses).toHaveLength(wanted.losses.length);
    for (const [i, loss] of wanted.losses.entries()) expect(losses[i]! / loss).toBeCloseTo(1, 5);
  }
}

const CROSS_ENTROPY: readonly LossOptions[] = [
  {},
  { labelSmoothing: 0.2 },
  { ignoreIndex: 1 },
  { classWeights: [0.5, 2, 1] },
  { labelSmoothing: 0.3, ignoreIndex: 0, classWeights: [0.5, 2, 1] },
];
const LOSSES: readonly (readonly [Exclude<LossKind, 'model-output'>, LossOptions])[] = [
  ...CROSS_ENTROPY.map((options) => ['softmax-cross-entropy', options] as const),
  ['sigmoid-binary-cross-entropy', {}],
  ['mean-squared-error', {}],
  ['mean-absolute-error', {}],
  ['huber', { delta: 0.4 }],
  ['smooth-l1', { delta: 0.4 }],
];
const OPTIMIZERS: readonly (readonly [OptimizerName, Partial<OptimizerSettings>])[] = [
  ['sgd', {}],
  ['sgd', { weightDecay: 0.3 }],
  ['momentum', { weightDecay: 0.3 }],
  ['nesterov', { momentum: 0.8 }],
  ['nesterov', { weightDecay: 0.3 }],
  ['adam', {}],
  ['adam', { beta1: 0.7, beta2: 0.9, epsilon: 0.01, weightDecay: 0.3 }],
  ['adamw', { weightDecay: 0.3 }],
  ['adamw', { weightDecay: 0 }],
  ['rmsprop', {}],
  ['rmsprop', { alpha: 0.8, momentum: 0.6, epsilon: 0.01, weightDecay: 0.3 }],
  ['adagrad', { weightDecay: 0.3 }],
];
const SCHEDULES: readonly Partial<Schedule>[] = [
  { kind: 'cosine', warmup: 2, floor: 0.1 },
  { kind: 'step', every: 2, factor: 0.5 },
  { kind: 'polynomial', power: 2 },
  { kind: 'constant', warmup: 3 },
];

describe('the epoch graph trains as the definitions say', () => {
  test.each(LOSSES)('%s %j', async (loss, lossOptions) => {
    await expectSame({ loss, lossOptions });
  });

  test.each(OPTIMIZERS)('%s %j', async (name, changes) => {
    await expectSame({ optimizer: optimizerSettings(name, changes) });
  });

  test.each(SCHEDULES)('schedule %j', async (changes) => {
    const schedule = { ...CONSTANT_RATE, ...changes };
    for (const name of ['sgd', 'momentum', 'adamw'] as const) {
      await expectSame({ schedule, optimizer: optimizerSettings(name) });
    }
  });

  // 11 examples: batches of 4 leave 3, batches of 11 and of 20 are one, batches of 5 leave 1.
  test.each([
    { batchSize: 4, accumulation: 2 },
    { batchSize: 4, accumulation: 3 },
    { batchSize: 2, accumulation: 4 },
    { batchSize: 11 },
    { batchSize: 20, accumulation: 3 },
    { batchSize: 5 },
    { batchSize: 1, accumulation: 11 },
  ])('minibatches %j', async (plan) => {
    await expectSame({ ...plan });
    await expectSame({ ...plan, optimizer: optimizerSettings('adam') });
    const schedule = { ...CONSTANT_RATE, kind: 'step', every: 2, factor: 0.5 } as const;
    await expectSame({ ...plan, schedule, loss: 'huber' });
  });

  const terms: readonly Setting[] = [
    { clipping: { norm: 0.05, value: 0 } },
    { clipping: { norm: 0, value: 0.03 } },
    { clipping: { norm: 0.05, value: 0.03 } },
    { proximal: 0.7 },
    { control: true },
    { clipping: { norm: 0.05, value: 0.03 }, proximal: 0.7, control: true, accumulation: 2 },
  ];
  test.each(terms)('terms %j', async (setting) => {
    await expectSame(setting);
    const optimizer = optimizerSettings('momentum', { weightDecay: 0.1 });
    await expectSame({ ...setting, optimizer });
  });
});

/** Operators of a graph and of the graphs inside it. */
const operatorsOf = (graph: Graph): readonly string[] =>
  graph.nodes.flatMap(({ op, attributes }) => [
    op,
    ...[...attributes.values()].flatMap((each) =>
      each.kind === 'graph' ? operatorsOf(each.value) : [],
    ),
  ]);

describe('the epoch graph', () => {
  const model = linearModel();
  const data = { dtype: 'uint8', example: [INPUTS], scale: 1 / 255 } as const;
  const built = (options: Partial<EpochGraphOptions>, accumulation = 1, batchSize = 4) => {
    const plan = planEpochs({ examples: EXAMPLES, epochs: 1, batchSize, accumulation });
    const loss = 'softmax-cross-entropy' as const;
    return operatorsOf(buildEpochGraph({ model, loss, data, plan, ...options }).model.graph);
  };

  test('holds no operator that GPUs lack', () => {
    const banned = 'OneHot Sign Round Sum Mean LogSoftmax ConstantOfShape Mod Dropout Size'.split(
      ' ',
    );
    for (const [name, changes] of OPTIMIZERS) {
      const all = built(
        {
          optimizer: optimizerSettings(name, changes),
          clipping: { norm: 1, value: 1 },
          lossOptions: { labelSmoothing: 0.1, ignoreIndex: 0, classWeights: [1, 2, 3] },
          ...{ proximal: 0.1, control: true, ratePerStep: true },
        },
        2,
      );
      expect(all.filter((op) => banned.includes(op))).toEqual([]);
    }
  });

  test('pays for an option only where it is there', () => {
    const plain = built({}, 1, EXAMPLES);
    const none = { clipping: { norm: 0, value: 0 }, proximal: 0, control: false, frozen: [] };
    const off = { labelSmoothing: 0, ignoreIndex: null, classWeights: [], delta: 1 };
    expect(built({ ...none, lossOptions: off, dropout: true }, 1, EXAMPLES)).toEqual(plain);
    expect(plain).not.toContain('If');
    expect(plain.filter((op) => op === 'Loop')).toHaveLength(1);
    expect(built({})).toContain('If');
    expect(built({}, 2).filter((op) => op === 'Loop')).toHaveLength(2);
  });
});
