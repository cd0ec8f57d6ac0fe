import { expect, test } from 'vitest';
import { averageModels } from './average.ts';
import { GraphBuilder } from './builder.ts';
import { readModel } from './read.ts';
import type { Node, Tensor } from './types.ts';
import { writeModel } from './write.ts';

/** x · w in the order of `places`: a weight of two elements, and a constant that is none. */
function modelOf(weights: readonly number[], places: readonly bigint[] = [0n, 1n]): Uint8Array {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [2] });
  const w = { dtype: 'float32', shape: [2], data: Float32Array.from(weights) } as const;
  const order = { dtype: 'int64', shape: [2], data: BigInt64Array.from(places) } as const;
  const scaled = builder.add('Mul', [x, builder.constant(w, 'w')]);
  const out = builder.add('Gather', [scaled, builder.constant(order, 'order')]);
  return writeModel({ graph: builder.finish('m', [builder.named(out, 'y')]) });
}
const weightsOf = (model: Uint8Array) => [...readModel(model).graph.initializers.get('w')!.data];

test('the mean is weighted, and rounded once', () => {
  const [a, b] = [modelOf([1, 1 / 3]), modelOf([4, -2])];
  const mean = averageModels([
    { model: a, weight: 2 },
    { model: b, weight: 1 },
  ]);
  expect(weightsOf(mean)).toEqual([2, Math.fround((2 * Math.fround(1 / 3) - 2) / 3)]);
  expect(readModel(mean).graph.initializers.get('order')).toEqual(
    readModel(a).graph.initializers.get('order'),
  );
});

test('a model alone is its own mean, to the byte', () => {
  const model = modelOf([0.1, -7e30]);
  expect(averageModels([{ model, weight: 3 }])).toEqual(model);
  const twice = [1, 1].map((weight) => ({ model, weight }));
  expect(averageModels(twice)).toEqual(model);
});

test('models of other graphs, shapes or constants have no mean, and it says what differs', () => {
  const of =
    (...models: readonly Uint8Array[]) =>
    () =>
      averageModels(models.map((model) => ({ model, weight: 1 })));
  const first = modelOf([1, 2]);
  expect(of(first, modelOf([1, 2], [1n, 0n]))).toThrow(
    'model 2 does not have the first one\'s "order"',
  );
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [2] });
  const other = builder.finish('m', [builder.named(builder.add('Relu', [x]), 'y')]);
  expect(of(first, first, writeModel({ graph: other }))).toThrow('model 3');
});

/** x · w with a weight of nine that stands in a node, gathered by constants that do, too. */
function nodeModelOf(weights: readonly number[], order: readonly number[]): Uint8Array {
  const nine = { dtype: 'float32', shape: [9] } as const;
  const constant = (name: string, value: Tensor): Node => ({
    ...{ name, op: 'Constant', inputs: [], outputs: [name] },
    attributes: new Map([['value', { kind: 'tensor', value }]]),
  });
  const of = (op: string, inputs: readonly string[], output: string): Node => ({
    ...{ name: output, op, inputs, outputs: [output], attributes: new Map() },
  });
  const nodes = [
    constant('w', { ...nine, data: Float32Array.from(weights) }),
    constant('order', { dtype: 'int64', shape: [9], data: BigInt64Array.from(order, BigInt) }),
    of('Mul', ['x', 'w'], 'scaled'),
    of('Gather', ['scaled', 'order'], 'y'),
  ];
  const inputs = [{ ...nine, name: 'x' }];
  const outputs = [{ ...nine, name: 'y' }];
  return writeModel({ graph: { name: 'm', nodes, initializers: new Map(), inputs, outputs } });
}

test('what stands in nodes is compared whole', () => {
  const there = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const ones = nodeModelOf(
    there.map(() => 1),
    there,
  );
  const models = (other: Uint8Array) => [ones, other].map((model) => ({ model, weight: 1 }));
  expect(() =>
    averageModels(
      models(
        nodeModelOf(
          there.map(() => 1),
          there.toReversed(),
        ),
      ),
    ),
  ).toThrow('model 2 does not have');
});
