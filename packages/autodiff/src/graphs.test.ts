import {
  type Graph,
  GraphBuilder,
  type Model,
  readModel,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { feedsOf } from '../../../test/helpers/run-graph.ts';
import {
  applyVector,
  buildEpochGraph,
  buildStepGraph,
  createGenerator,
  cutVector,
  describeModel,
  EPOCH_INPUTS,
  initialVector,
  LOSS_NAMES,
  OPTIMIZER_NAMES,
  optimizerSettings,
  planEpochs,
  trainableParameters,
  writeTrainingGraph,
  zooModel,
} from './index.ts';
import { wholeRun } from './testing/whole-run.ts';

const open = (model: Model) =>
  InferenceSession.create(writeModel(model), { logSeverityLevel: 3, intraOpNumThreads: 1 });
const floats = (values: ArrayLike<number>, shape: readonly number[]) =>
  new Tensor('float32', Float32Array.from(values), shape);

/** 6-5-3 with Tanh, weights from a seed. */
function tinyModel(): Model {
  const generator = createGenerator(3);
  const builder = new GraphBuilder();
  const x = builder.input('input', { dtype: 'float32', shape: [1, 6] });
  const random = (shape: readonly number[], name: string) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const data = Array.from({ length: count }, () => generator.uniform() - 0.5);
    return builder.constant(tensorOf('float32', shape, data), name);
  };
  const hidden = builder.add('Gemm', [x, random([6, 5], 'a'), random([5], 'b')]);
  const y = builder.add('Gemm', [builder.add('Tanh', [hidden]), random([5, 3], 'c')]);
  const graph = builder.finish('tiny', [y]);
  const batch = (values: Graph['inputs']) =>
    values.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: batch(graph.inputs), outputs: batch(graph.outputs) } };
}

const EXAMPLES = 12;
const BATCH = 4;
const RATE = 0.3;

function tinyData() {
  const generator = createGenerator(9);
  const data = Uint8Array.from({ length: EXAMPLES * 6 }, () => generator.below(256));
  const labels = Int32Array.from({ length: EXAMPLES }, () => generator.below(3));
  const order = Int32Array.from({ length: 5 * BATCH }, () => generator.below(EXAMPLES));
  return { data, labels, order };
}

/**
 * The same training by hand: the step graph for gradients, PyTorch's momentum rule in TypeScript.
 */
async function byHand(model: Model, momentum: number): Promise<{ update: number[]; loss: number }> {
  const { data, labels, order } = tinyData();
  const step = buildStepGraph({ model, loss: 'softmax-cross-entropy', batchSize: BATCH });
  const session = await open(step.model);
  const parameters = trainableParameters(model);
  const start = initialVector(model);
  const vector = Float64Array.from(start);
  const velocity = new Float64Array(vector.length);
  let loss = 0;
  for (let i = 0; i < order.length; i += BATCH) {
    const rows = Array.from(order.subarray(i, i + BATCH));
    const pixels = rows.flatMap((row) => Array.from(data.subarray(row * 6, row * 6 + 6)));
    const parts = cutVector(parameters, Float32Array.from(vector));
    const results = await session.run({
      batch: floats(
        pixels.map((value) => value / 255),
        [BATCH, 6],
      ),
      target: new Tensor(
        'int32',
        Int32Array.from(rows, (row) => labels[row]!),
        [BATCH],
      ),
      learningRate: floats([RATE], []),
      ...Object.fromEntries(
        step.parameters.map(({ name, shape, input }) => [input, floats(parts.get(name)!, shape)]),
      ),
    });
    loss += Number(results['loss']!.data[0]) / 5;
    const gradient = step.parameters.flatMap((parameter) =>
      Array.from(results[parameter.gradient]!.data as Float32Array),
    );
    for (const [j, part] of gradient.entries()) {
      velocity[j] = momentum * velocity[j]! + part;
      vector[j]! -= RATE * velocity[j]!;
    }
  }
  return { update: Array.from(vector, (value, i) => value - start[i]!), loss };
}

async function runEpoch(model: Model, momentum: number, clippingNorm: number) {
  const { data, labels, order } = tinyData();
  const resident = { dtype: 'uint8', example: [6], scale: 1 / 255 } as const;
  const plan = planEpochs({ examples: 5 * BATCH, batchSize: BATCH, epochs: 1 });
  const optimizer = optimizerSettings('sgd', { momentum });
  const graph = buildEpochGraph({
    model,
    loss: 'softmax-cross-entropy',
    ...{ data: resident, plan, optimizer },
  });
  const session = await open(graph.model);
  const vector = initialVector(model);
  const results = await session.run({
    ...feedsOf(wholeRun({ graph, plan, vector, optimizer })),
    [EPOCH_INPUTS.data]: new Tensor('uint8', data, [EXAMPLES, 6]),
    [EPOCH_INPUTS.targets]: new Tensor('int32', labels, [EXAMPLES]),
    [EPOCH_INPUTS.order]: new Tensor('int32', order, [5, BATCH]),
    [EPOCH_INPUTS.learningRate]: floats([RATE], []),
    [EPOCH_INPUTS.clippingNorm]: floats([clippingNorm], []),
  });
  const list = (name: string) => Array.from(results[name]!.data as Float32Array);
  return {
    update: list('update'),
    clipped: list('clipped'),
    norm: list('norm')[0]!,
    loss: list('meanLoss')[0]!,
  };
}

const length = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
const farthest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe('the epoch graph', () => {
  for (const momentum of [0, 0.9]) {
    test(`trains as single steps do, momentum ${momentum}`, async () => {
      const model = tinyModel();
      const [epoch, hand] = [await runEpoch(model, momentum, 100), await byHand(model, momentum)];
      expect(farthest(epoch.update, hand.update)).toBeLessThan(1e-5);
      expect(epoch.loss).toBeCloseTo(hand.loss, 5);
      expect(epoch.norm).toBeCloseTo(length(hand.update), 5);
      expect(epoch.clipped).toEqual(epoch.update);
    });
  }

  test('clips a longer update to the clipping norm and keeps its direction', async () => {
    const { update, clipped, norm } = await runEpoch(tinyModel(), 0, 0.01);
    expect(length(clipped)).toBeCloseTo(0.01, 6);
    const scaled = update.map((value) => (value * 0.01) / norm);
    expect(farthest(clipped, scaled)).toBeLessThan(1e-7);
  });

  test('the norm of a long vector is summed in stages', async () => {
    // The zoo's MLP has 199,210 weights: three stages.
    const model = zooModel('mlp', 5);
    const resident = { dtype: 'uint8', example: [28, 28], scale: 1 / 255 } as const;
    const loss = 'softmax-cross-entropy' as const;
    const plan = planEpochs({ examples: 8, batchSize: 4, epochs: 1 });
    const graph = buildEpochGraph({ model, loss, data: resident, plan });
    const session = await open(graph.model);
    const generator = createGenerator(1);
    const pixels = Uint8Array.from({ length: 4 * 784 }, () => generator.below(256));
    const vector = initialVector(model);
    const results = await session.run({
      ...feedsOf(wholeRun({ graph, plan, vector })),
      [EPOCH_INPUTS.data]: new Tensor('uint8', pixels, [4, 28, 28]),
      [EPOCH_INPUTS.targets]: new Tensor('int32', Int32Array.of(1, 2, 3, 4), [4]),
      [EPOCH_INPUTS.order]: new Tensor('int32', Int32Array.of(0, 1, 2, 3, 3, 2, 1, 0), [2, 4]),
      [EPOCH_INPUTS.learningRate]: floats([0.1], []),
      [EPOCH_INPUTS.clippingNorm]: floats([1e9], []),
    });
    const update = results['update']!.data as Float32Array;
    const norm = Math.sqrt(update.reduce((sum, value) => sum + value * value, 0));
    expect(Number(results['norm']!.data[0]) / norm).toBeCloseTo(1, 5);
  });
});

describe('models', () => {
  test('a trained vector goes back into the file', () => {
    const bytes = writeModel(tinyModel());
    const vector = initialVector(tinyModel()).map((_, i) => i);
    expect(initialVector(readModel(applyVector(bytes, vector)))).toEqual(vector);
    expect(() => applyVector(bytes, new Float32Array(3))).toThrow('3 elements for a model of 50');
  });

  test('constants of shapes and exponents are not trained', () => {
    const builder = new GraphBuilder();
    const x = builder.input('input', { dtype: 'float32', shape: [2, 3] });
    const weight = builder.constant(tensorOf('float32', [3], [1, 2, 3]), 'w');
    const exponent = builder.constant(tensorOf('float32', [], [2]), 'exponent');
    const y = builder.add('Pow', [builder.add('Mul', [x, weight]), exponent]);
    const model = { graph: builder.finish('m', [y]) };
    expect(trainableParameters(model).map(({ name }) => name)).toEqual(['w']);
  });

  test('a model without weights is refused', () => {
    const builder = new GraphBuilder();
    const x = builder.input('input', { dtype: 'float32', shape: [2, 3] });
    const model = { graph: builder.finish('m', [builder.add('Exp', [x])]) };
    expect(() => describeModel(model)).toThrow('no float32 weight of the model');
  });

  test('an operator that is unknown is named with its node', () => {
    const { graph } = tinyModel();
    const last = graph.nodes.at(-1)!;
    const nodes = [...graph.nodes.slice(0, -1), { ...last, name: '/block/Det', op: 'Det' }];
    const bytes = writeModel({ graph: { ...graph, nodes } });
    const make = () => writeTrainingGraph(bytes, { loss: 'mean-squared-error', optimizer: 'sgd' });
    expect(make).toThrow('node "/block/Det": operator Det is not supported');
  });

  test.each(LOSS_NAMES.filter((loss) => loss !== 'model-output'))(
    'the training graph for %s runs in plain ONNX Runtime with every optimiser',
    async (loss) => {
      for (const optimizer of OPTIMIZER_NAMES) {
        const bytes = writeTrainingGraph(writeModel(tinyModel()), { loss, optimizer });
        const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
        expect(session.inputNames).toContain('learningRate');
        expect(session.outputNames).toEqual(
          expect.arrayContaining(['loss', 'gradient/a', 'updated/a']),
        );
      }
    },
  );

  test('unknown losses and optimisers are the operator’s mistake', () => {
    const bytes = writeModel(tinyModel());
    const sgd = { loss: 'nonsense', optimizer: 'sgd' };
    expect(() => writeTrainingGraph(bytes, sgd)).toThrow('loss: unknown: nonsense');
    const adamax = { loss: 'mean-squared-error', optimizer: 'adamax' };
    const refused = 'optimizer: unknown: adamax. Use one of sgd, momentum, nesterov, adam';
    expect(() => writeTrainingGraph(bytes, adamax)).toThrow(refused);
  });
});
