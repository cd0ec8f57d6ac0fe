import { type Graph, GraphBuilder, type Node, scalar, tensorOf } from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { roundedHalves } from '../../../test/helpers/rounded-halves.ts';
import { feedsOf, openGraph } from '../../../test/helpers/run-graph.ts';
import { productsInHalf } from './half-precision.ts';
import {
  buildEpochGraph,
  buildStepGraph,
  type EpochGraphOptions,
  LOSS_SCALE,
  type Precision,
  planEpochs,
  type ZooName,
  zooModel,
} from './index.ts';

const PRODUCTS = ['MatMul', 'Gemm', 'Conv', 'ConvTranspose'];
const FLOAT16 = 10;

const castsTo = (node: Node): number | undefined => {
  const to = node.op === 'Cast' ? node.attributes.get('to') : undefined;
  return to?.kind === 'int' ? to.value : undefined;
};

/** A graph and all graphs inside its nodes. */
const graphsIn = (graph: Graph): readonly Graph[] => [
  graph,
  ...graph.nodes.flatMap((node) =>
    [...node.attributes.values()].flatMap((value) =>
      value.kind === 'graph' ? graphsIn(value.value) : [],
    ),
  ),
];

const nodesIn = (graph: Graph): readonly Node[] => graphsIn(graph).flatMap(({ nodes }) => nodes);

/** How often each operator stands in a graph, but for products and what surrounds them. */
function others(nodes: readonly Node[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    if (PRODUCTS.includes(node.op) || node.op === 'Cast') continue;
    counts.set(node.op, (counts.get(node.op) ?? 0) + 1);
  }
  return counts;
}

/** Values of float16: no node but a product, or a Cast back, may take one. */
function checkHalves(nodes: readonly Node[]): number {
  const made = nodes.filter((node) => castsTo(node) === FLOAT16 || PRODUCTS.includes(node.op));
  const halves = new Set(made.flatMap(({ outputs }) => outputs));
  for (const node of nodes) {
    const taken = node.inputs.filter((input) => input !== '');
    if (PRODUCTS.includes(node.op)) {
      expect(taken.every((input) => halves.has(input))).toBe(true);
    } else if (taken.some((input) => halves.has(input))) {
      expect([node.op, castsTo(node)]).toEqual(['Cast', 1]);
    }
  }
  return halves.size;
}

const stepOf = (zoo: ZooName, precision: Precision) =>
  buildStepGraph({
    ...{ model: zooModel(zoo, 1), loss: 'softmax-cross-entropy', batchSize: 2, precision },
    clipping: { norm: 1, value: 0 },
  }).model.graph;

describe('float16', () => {
  test.each<ZooName>(['mlp', 'cnn', 'mobilenet', 'gpt'])(
    '%s: only products take and give it, and all else is as before',
    (zoo) => {
      const [half, full] = [stepOf(zoo, 'float16'), stepOf(zoo, 'float32')];
      const nodes = nodesIn(half);
      expect(checkHalves(nodes)).toBeGreaterThan(4);
      const dtypes = [...half.inputs, ...half.outputs].map(({ dtype }) => dtype);
      expect(dtypes.filter((dtype) => dtype !== 'float32')).toEqual(
        [...full.inputs, ...full.outputs]
          .map(({ dtype }) => dtype)
          .filter((dtype) => dtype !== 'float32'),
      );
      const [there, here] = [others(nodes), others(nodesIn(full))];
      // Each gradient is divided by the loss scale.
      const parameters = half.outputs.filter(({ name }) => name.startsWith('gradient/'));
      const divisions = parameters.length;
      expect(there.get('Mul')).toBe((here.get('Mul') ?? 0) + divisions);
      for (const [op, count] of here)
        if (op !== 'Mul') expect([op, there.get(op)]).toEqual([op, count]);
      const products = (list: readonly Node[]) =>
        list.filter(({ op }) => PRODUCTS.includes(op)).length;
      expect(products(nodes)).toBe(products(nodesIn(full)));
    },
  );

  test('stays inside the bodies of an epoch graph, whose vectors are float32', () => {
    const options: EpochGraphOptions = {
      ...{ model: zooModel('cnn', 1), loss: 'softmax-cross-entropy', precision: 'float16' },
      plan: planEpochs({ examples: 11, batchSize: 2, epochs: 1, accumulation: 2 }),
      data: { dtype: 'uint8', example: [1, 28, 28], scale: 1 / 255 },
    };
    const { graph } = buildEpochGraph(options).model;
    expect(checkHalves(nodesIn(graph))).toBeGreaterThan(4);
    const named = new Map([...graph.inputs, ...graph.outputs].map((value) => [value.name, value]));
    for (const name of ['vector', 'current', 'after', 'update', 'norm', 'losses']) {
      expect(named.get(name)?.dtype ?? name).toBe('float32');
    }
    const names = nodesIn(graph).flatMap(({ outputs }) => outputs);
    expect(new Set(names).size).toBe(names.length);
  });

  test('leaves products of integers alone', () => {
    const builder = new GraphBuilder();
    const a = builder.input('a', { dtype: 'int32', shape: [2, 3] });
    const b = builder.input('b', { dtype: 'int32', shape: [3, 2] });
    const product = builder.add('MatMul', [a, b]);
    const before = builder.nodes;
    productsInHalf(builder);
    expect(builder.nodes).toEqual(before);
    expect(builder.finish('whole', [product]).outputs[0]?.dtype).toBe('int32');
  });

  test('casts each value once, and not back and forth between two products', () => {
    const builder = new GraphBuilder();
    const a = builder.input('a', { dtype: 'float32', shape: [3, 3] });
    const once = builder.add('MatMul', [a, a]);
    const twice = builder.add('MatMul', [once, a]);
    const bias = builder.input('bias', { dtype: 'float32', shape: [3] });
    const thrice = builder.add('Gemm', [twice, a, bias]);
    productsInHalf(builder);
    const { nodes } = builder.finish('chain', [thrice]);
    expect(nodes.map((node) => castsTo(node) ?? node.op)).toEqual([
      ...[FLOAT16, 'MatMul', 'MatMul', FLOAT16, 'Gemm', 1],
    ]);
    const wanted = nodes.filter(({ inputs }) => inputs.includes('bias'));
    expect(wanted.map(castsTo)).toEqual([FLOAT16]);
  });
});

/** y = x·a·b with one weight each, over ten examples. */
function chain() {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [10, 1] });
  const one = tensorOf('float32', [1, 1], [1]);
  const inner = builder.add('MatMul', [x, builder.constant(one, 'a')]);
  const y = builder.add('MatMul', [inner, builder.constant(one, 'b')]);
  const graph = builder.finish('chain', [y]);
  return { graph };
}

/** Gradient of weight `a` where every example errs by one part in 2^24. */
async function smallGradient(precision: Precision): Promise<number> {
  const { model, batch, target, learningRate, parameters } = buildStepGraph({
    ...{ model: chain(), loss: 'mean-squared-error', batchSize: 10, precision },
  });
  const session = await openGraph(roundedHalves(model).graph);
  const ones = tensorOf('float32', [10, 1], new Array(10).fill(1));
  const near = tensorOf('float32', [10, 1], new Array(10).fill(1 - 2 ** -24));
  const weights = parameters.map(({ input }) => [input, tensorOf('float32', [1, 1], [1])] as const);
  const results = await session.run(
    feedsOf({
      ...Object.fromEntries(weights),
      ...{ [batch]: ones, [target!]: near, [learningRate]: scalar(1) },
    }),
  );
  await session.release();
  const { gradient } = parameters.find(({ name }) => name === 'a')!;
  return (results[gradient]!.data as Float32Array)[0]!;
}

test('the loss scale keeps a gradient of 1e-7 alive, which ten examples share', async () => {
  expect(LOSS_SCALE).toBe(2 ** Math.log2(LOSS_SCALE));
  const full = await smallGradient('float32');
  expect(full).toBeCloseTo(2 ** -23, 10);
  // One example's part of it is below half of the least float16.
  expect(full / 10).toBeLessThan(2 ** -25);
  const half = await smallGradient('float16');
  expect(Math.abs(half - full) / full).toBeLessThan(2 ** -9);
});

test('what float16 cannot hold is no number behind clipping by value either', async () => {
  const model = chain();
  const step = buildStepGraph({
    ...{ model, loss: 'mean-squared-error', batchSize: 10, precision: 'float16' },
    clipping: { norm: 0, value: 0.5 },
  });
  const session = await openGraph(roundedHalves(step.model).graph);
  const big = (value: number) => tensorOf('float32', [10, 1], new Array(10).fill(value));
  const weight = tensorOf('float32', [1, 1], [1]);
  const results = await session.run(
    feedsOf({ a: weight, b: weight, batch: big(1), target: big(-60_000), learningRate: scalar(1) }),
  );
  await session.release();
  const updated = results['updated/a']!.data as Float32Array;
  expect(Number.isFinite(updated[0])).toBe(false);
});
