import {
  elementCount,
  float,
  type Graph,
  GraphBuilder,
  int,
  type Model,
  replayGraph,
  scalar,
  type Tensor,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { drawn, graphOf, meanOf, node, run } from '../../../test/helpers/small-graphs.ts';
import { backward } from './backward.ts';
import {
  ALL_SHARED,
  buildEpochGraph,
  buildEvaluationGraph,
  buildStepGraph,
  createGenerator,
  describeModel,
  initialVector,
  minibatchOrder,
  modelState,
  orderShape,
  planEpochs,
} from './index.ts';
import { Ops } from './ops.ts';
import { rewriting } from './rules-training.ts';
import { wholeRun } from './testing/whole-run.ts';

const TRAINING = { training_mode: int(1), epsilon: float(0.05), momentum: float(0.8) };
const STATISTICS = ['x', 'scale', 'bias', 'mean', 'variance'];

/** One BatchNormalization in training, its gradients and its new statistics. */
function batchNormGraph(shape: readonly number[], attributes = TRAINING): Graph {
  const g = new Ops(new GraphBuilder());
  const channels = [shape[1]!];
  const bindings = new Map(
    STATISTICS.map((name) => {
      const type = { dtype: 'float32' as const, shape: name === 'x' ? shape : channels };
      return [name, g.builder.input(name, type)] as const;
    }),
  );
  const { rewrite, newest, ownRules } = rewriting(g, { dropout: undefined });
  const call = node('BatchNormalization', STATISTICS, ['y', 'newMean', 'newVariance'], attributes);
  const graph = graphOf([call], {}, shape, 'y');
  const y = replayGraph(graph, { builder: g.builder, bindings, rewrite })[0]!;
  const seed = g.builder.constant(drawn(shape, 77));
  const wanted = ['x', 'scale', 'bias'];
  const found = backward({ g, nodes: [...g.builder.nodes], output: y, seed, wanted, ownRules });
  const objective = g.reduceSum(g.mul(y, seed), [...shape.keys()], false);
  return g.builder.finish('batch-norm', [
    g.builder.named(y, 'out'),
    g.builder.named(objective, 'objective'),
    ...wanted.map((name) => g.builder.named(found.get(name)!, `d${name}`)),
    g.builder.named(newest('mean'), 'nextMean'),
    g.builder.named(newest('variance'), 'nextVariance'),
  ]);
}

function batchNormFeeds(shape: readonly number[]) {
  const channels = [shape[1]!];
  return {
    x: drawn(shape, 1, -2, 3),
    scale: drawn(channels, 2, 0.5, 1.5),
    bias: drawn(channels, 3),
    mean: drawn(channels, 4),
    variance: drawn(channels, 5, 0.5, 2),
  };
}

/** Values of each channel of [N, C, …]. */
function perChannel({ shape, data }: Tensor): number[][] {
  const inner = elementCount(shape.slice(2));
  const channels: number[][] = Array.from({ length: shape[1]! }, () => []);
  for (let i = 0; i < data.length; i++) {
    channels[Math.floor(i / inner) % shape[1]!]!.push(Number(data[i]));
  }
  return channels;
}

const spreadOf = (values: readonly number[], less: number) => {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - less);
};
const near = (ours: readonly number[], wanted: readonly number[], digits = 4) => {
  expect(ours).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(ours[i]).toBeCloseTo(value, digits);
};

const SHAPES = [
  [5, 3],
  [4, 2, 3, 3],
  [3, 2, 4],
  [2, 3, 1, 1],
  [1, 2, 2, 2],
  [2, 2, 2, 1, 3],
];

describe('BatchNormalization in training', () => {
  test.each(SHAPES)('of [%i, %i, …]: gradients by differences', async (...shape) => {
    const graph = batchNormGraph(shape);
    const feeds = batchNormFeeds(shape);
    const first = await run(graph, feeds);
    const session = await InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 3 });
    for (const name of ['x', 'scale', 'bias'] as const) {
      const gradient = first(`d${name}`);
      for (let i = 0; i < gradient.length; i++) {
        const at = async (offset: number) => {
          const { data, ...rest } = feeds[name];
          const moved = Float32Array.from(data as Float32Array);
          moved[i]! += offset;
          const all = { ...feeds, [name]: { ...rest, data: moved } };
          const entries = Object.entries(all).map(([key, value]) => {
            return [key, new RuntimeTensor('float32', value.data, value.shape)] as const;
          });
          return Number((await session.run(Object.fromEntries(entries)))['objective']!.data[0]);
        };
        // Differences of fourth order.
        const step = 2 ** -6;
        const close = (await at(step)) - (await at(-step));
        const far = (await at(2 * step)) - (await at(-2 * step));
        expect(Math.abs(gradient[i]! - (8 * close - far) / (12 * step))).toBeLessThan(2e-3);
      }
    }
  });

  test.each(SHAPES)('of [%i, %i, …]: outputs and running statistics', async (...shape) => {
    const feeds = batchNormFeeds(shape);
    const read = await run(batchNormGraph(shape), feeds);
    const channels = perChannel(feeds.x);
    const made = perChannel({ ...feeds.x, data: Float32Array.from(read('out')) });
    for (const [c, values] of channels.entries()) {
      const [scale, bias] = [Number(feeds.scale.data[c]), Number(feeds.bias.data[c])];
      const [mean, root] = [meanOf(values), Math.sqrt(spreadOf(values, 0) + 0.05)];
      near(
        made[c]!,
        values.map((value) => ((value - mean) / root) * scale + bias),
      );
    }
    const moved = (old: Tensor, of: (values: number[]) => number) =>
      channels.map((values, c) => 0.8 * Number(old.data[c]) + 0.2 * of(values));
    near(read('nextMean'), moved(feeds.mean, meanOf));
    near(
      read('nextVariance'),
      moved(feeds.variance, (values) => spreadOf(values, 1)),
    );
  });

  test('of one value for each channel leaves the running statistics as they are', async () => {
    const feeds = batchNormFeeds([1, 3]);
    const read = await run(batchNormGraph([1, 3]), feeds);
    near(read('out'), Array.from(feeds.bias.data, Number));
    near(read('nextMean'), Array.from(feeds.mean.data, Number));
    near(read('nextVariance'), Array.from(feeds.variance.data, Number));
    near(read('dx'), [0, 0, 0]);
  });
});

/** Linear, BatchNormalization whose layer is used twice, linear. */
function normalisedModel(): Model {
  const statistics = ['scale', 'bias', 'mean', 'variance'];
  const norm = (from: string, to: string) =>
    node('BatchNormalization', [from, ...statistics], [to, `${to}.m`, `${to}.v`], TRAINING);
  const nodes = [
    node('MatMul', ['x', 'w'], ['a']),
    norm('a', 'b'),
    node('Tanh', ['b'], ['c']),
    norm('c', 'd'),
    node('MatMul', ['d', 'u'], ['y']),
  ];
  const initializers = {
    w: drawn([4, 3], 1),
    scale: drawn([3], 2, 0.5, 1.5),
    mean: drawn([3], 4),
    bias: drawn([3], 3),
    variance: drawn([3], 5, 0.5, 2),
    u: drawn([3, 2], 6),
  };
  return { graph: graphOf(nodes, initializers, ['batch', 4], 'y') };
}

describe('a model with BatchNormalization', () => {
  const model = normalisedModel();

  test('has parameters, then buffers', () => {
    const state = modelState(model);
    expect(state.parameters.map(({ name }) => name)).toEqual(['w', 'scale', 'bias', 'u']);
    expect(state.buffers.map(({ name }) => name)).toEqual(['mean', 'variance']);
    expect(describeModel(model).layout).toEqual({ parameters: 24, buffers: 6 });
  });

  test.each([
    { batchSize: 4, accumulation: 1 },
    { batchSize: 4, accumulation: 2 },
    { batchSize: 5, accumulation: 1 },
  ])('carries its statistics through %j as single steps do', async (settings) => {
    const examples = 10;
    const data = drawn([examples, 4], 9);
    const labels = tensorOf('int32', [examples], [0, 1, 1, 0, 1, 0, 0, 1, 1, 0]);
    const plan = planEpochs({ examples, epochs: 2, ...settings });
    const order = minibatchOrder(
      plan,
      Int32Array.from({ length: 10 }, (_, i) => i),
      createGenerator(1),
    );
    const loss = 'softmax-cross-entropy' as const;
    const resident = { dtype: 'float32', example: [4], scale: 1 } as const;
    const graph = buildEpochGraph({ model, loss, plan, data: resident });
    expect(graph.layout).toEqual({ parameters: 24, buffers: 6 });
    const vector = initialVector(model);
    const read = await run(graph.model.graph, {
      ...wholeRun({ graph, plan, vector }),
      data,
      targets: labels,
      order: { dtype: 'int32', shape: orderShape(plan, plan.steps), data: order },
      learningRate: scalar(0.1),
      clippingNorm: scalar(1e-3),
    });
    const values = await bySteps(model, { plan, order, data, labels });
    const names = ['w', 'scale', 'bias', 'u', 'mean', 'variance'];
    const after = names.flatMap((name) => Array.from(values.get(name)!));
    near(
      read('update'),
      after.map((value, i) => value - vector[i]!),
      5,
    );
    // Parameters are clipped, statistics are not.
    const clipped = read('clipped');
    expect(Math.hypot(...clipped.slice(0, 24))).toBeCloseTo(1e-3, 6);
    expect(clipped.slice(24)).toEqual(read('update').slice(24));
  });

  test('is evaluated by its running statistics, example by example', async () => {
    const loss = 'softmax-cross-entropy' as const;
    const data = { dtype: 'float32', example: [4], scale: 1 } as const;
    const vector = { dtype: 'float32' as const, shape: [30], data: initialVector(model) };
    const x = drawn([3, 4], 21);
    const sum = async (rows: readonly number[]) => {
      const { graph } = buildEvaluationGraph({ model, loss, data, batchSize: rows.length });
      const picked = rows.flatMap((row) => Array.from(x.data.slice(4 * row, 4 * row + 4), Number));
      const read = await run(graph, {
        vector,
        batch: tensorOf('float32', [rows.length, 4], picked),
        target: tensorOf(
          'int32',
          [rows.length],
          rows.map((row) => row % 2),
        ),
      });
      return read('lossSum')[0]!;
    };
    const alone = (await sum([0])) + (await sum([1])) + (await sum([2]));
    expect(await sum([0, 1, 2])).toBeCloseTo(alone, 5);
  });

  test('is evaluated although a variance has come out below zero', async () => {
    const loss = 'softmax-cross-entropy' as const;
    const data = { dtype: 'float32', example: [4], scale: 1 } as const;
    const { graph } = buildEvaluationGraph({ model, loss, data, batchSize: 1 });
    const read = await run(graph, {
      vector: { dtype: 'float32', shape: [30], data: initialVector(model).fill(-1, 27) },
      batch: drawn([1, 4], 1),
      target: tensorOf('int32', [1], [0]),
    });
    expect(Number.isFinite(read('lossSum')[0])).toBe(true);
  });

  test('whose statistics are frozen normalises by them in training', async () => {
    const frozen = ['mean', 'variance'];
    const options = { model, loss: 'softmax-cross-entropy', batchSize: 2, frozen } as const;
    const step = buildStepGraph(options);
    expect(step.buffers).toEqual([]);
    expect(describeModel(model, { ...ALL_SHARED, frozen }).layout).toEqual({
      parameters: 24,
      buffers: 0,
    });
    expect(step.model.graph.nodes.some(({ op }) => op === 'ReduceMean')).toBe(true);
    const means = step.model.graph.nodes.filter(({ op }) => op === 'BatchNormalization');
    expect(means.map(({ inputs }) => inputs.slice(3))).toEqual([frozen, frozen]);
  });
});

interface Steps {
  readonly plan: ReturnType<typeof planEpochs>;
  readonly order: Int32Array;
  readonly data: Tensor;
  readonly labels: Tensor;
}

/** Plain SGD by the step graph: gradients of each group of minibatches averaged by hand. */
async function bySteps(model: Model, { plan, order, data, labels }: Steps) {
  const values = new Map(
    Array.from(
      model.graph.initializers,
      ([name, { data }]) => [name, data as Float32Array] as const,
    ),
  );
  const perEpoch = plan.steps / plan.epochs;
  for (let step = 0; step < plan.steps; step++) {
    const first = (step % perEpoch) * plan.accumulation;
    const count = Math.min(plan.accumulation, plan.batches - first);
    const sums = new Map<string, Float64Array>();
    for (let i = 0; i < count; i++) {
      const size = first + i === plan.batches - 1 ? plan.lastBatch : plan.batchSize;
      const from = (step * plan.accumulation + i) * plan.batchSize;
      const rows = Array.from(order.subarray(from, from + size));
      const loss = 'softmax-cross-entropy' as const;
      const graph = buildStepGraph({ model, loss, batchSize: size });
      const feeds: Record<string, Tensor> = {
        batch: tensorOf(
          'float32',
          [size, 4],
          rows.flatMap((row) => Array.from(data.data.slice(4 * row, 4 * row + 4), Number)),
        ),
        target: tensorOf(
          'int32',
          [size],
          rows.map((row) => Number(labels.data[row])),
        ),
        learningRate: scalar(1),
      };
      for (const { input, name, shape } of [...graph.parameters, ...graph.buffers]) {
        feeds[input] = { dtype: 'float32', shape, data: values.get(name)! };
      }
      const read = await run(graph.model.graph, feeds);
      for (const { name, gradient } of graph.parameters) {
        const sum = sums.get(name) ?? new Float64Array(values.get(name)!.length);
        sums.set(
          name,
          sum.map((value, j) => value + read(gradient)[j]! / count),
        );
      }
      for (const { name, updated } of graph.buffers) {
        values.set(name, Float32Array.from(read(updated)));
      }
    }
    for (const [name, gradient] of sums) {
      values.set(
        name,
        values.get(name)!.map((value, j) => value - 0.1 * gradient[j]!),
      );
    }
  }
  return values;
}
