import { type Attribute, int, type Model, type Node, scalar, tensorOf } from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { drawn, graphOf, node } from '../../../test/helpers/small-graphs.ts';
import { ALL_SHARED, buildStepGraph, describeModel, modelState } from './index.ts';

const modelOf = (nodes: readonly Node[], weights: Parameters<typeof graphOf>[1]): Model => ({
  graph: graphOf(nodes, weights, ['batch', 4], 'y'),
});
const names = (model: Model, frozen: readonly string[] = []) =>
  modelState(model, frozen).parameters.map(({ name }) => name);

describe('the state of a model', () => {
  const dense = modelOf(
    [node('MatMul', ['x', 'a'], ['h']), node('Add', ['h', 'b'], ['s']), node('Tanh', ['s'], ['y'])],
    { a: drawn([4, 3], 1), b: drawn([3], 2) },
  );

  test('is its weights without the frozen ones, in the order of the file', () => {
    expect(modelState(dense)).toEqual({
      parameters: [
        { name: 'a', shape: [4, 3] },
        { name: 'b', shape: [3] },
      ],
      buffers: [],
      warnings: [],
    });
    expect(names(dense, ['a'])).toEqual(['b']);
    expect(describeModel(dense, { ...ALL_SHARED, frozen: ['a'] }).initial).toEqual(
      drawn([3], 2).data,
    );
    expect(modelState(dense, ['c*']).warnings).toEqual(['frozen: "c*" matches no weight']);
    expect(() => modelState(dense, ['*'])).toThrow('no weight is left to train: * freezes all 2');
  });

  test('names weights whose way to the output no gradient passes', () => {
    const model = modelOf(
      [
        node('Mul', ['x', 'w'], ['a']),
        node('Mul', ['x', 'steps'], ['b']),
        node('Floor', ['b'], ['c']),
        node('Mul', ['a', 'c'], ['y']),
      ],
      { w: drawn([4], 1), steps: drawn([4], 2) },
    );
    expect(names(model)).toEqual(['w']);
    expect(describeModel(model).warnings).toEqual([
      '"steps" is not trained: no gradient passes node "c" (Floor)',
    ]);
  });

  test('has no masks, factors of losses or ratios in it', () => {
    const model = modelOf(
      [
        node('Add', ['x', 'mask'], ['a']),
        node('Dropout', ['a', 'ratio'], ['b']),
        node('Mul', ['b', 'w'], ['y']),
      ],
      {
        mask: tensorOf('float32', [4], [0, -Infinity, 0, 0]),
        ratio: scalar(0.5),
        w: drawn([4], 1),
      },
    );
    expect(names(model)).toEqual(['w']);
    expect(modelState(model).warnings).toEqual(['"mask" is not trained: its values are a mask\'s']);
    const loss = modelOf([node('SoftmaxCrossEntropyLoss', ['h', 'labels', 'share'], ['y'])], {
      h: drawn([2, 3], 1),
      share: drawn([3], 2),
    });
    expect(names(loss)).toEqual(['h']);
  });

  test.each<[string, (position: number, i: number) => number]>([
    ['sines and cosines in turn', (at, i) => (i % 2 ? Math.cos : Math.sin)(at / 9 ** (i >> 1))],
    ['sines, then cosines', (at, i) => (i < 2 ? Math.sin : Math.cos)(at / 9 ** (i % 2))],
    ['cosines of a rotation', (at, i) => Math.cos(at / 9 ** (i % 2))],
    ['sines of a rotation', (at, i) => Math.sin(at / 9 ** (i % 2))],
  ])('leaves positions alone: %s', (_, value) => {
    const table = Array.from({ length: 12 }, (_, i) => value(Math.floor(i / 4), i % 4));
    const model = modelOf(
      [node('MatMul', ['x', 'w'], ['a']), node('Add', ['a', 'places'], ['y'])],
      { w: drawn([4, 4], 1), places: tensorOf('float32', [1, 3, 4], table) },
    );
    expect(modelState(model)).toMatchObject({
      parameters: [{ name: 'w' }],
      warnings: ['"places" is not trained: its values are sines and cosines of positions'],
    });
  });

  test('warns of a weight that no gradient reaches, and gives it zeros', () => {
    const model = modelOf(
      [
        node('Mul', ['x', 'w'], ['a']),
        // What inner graphs use is listed among the inputs.
        node('If', ['flag', 'a', 'v'], ['y'], {
          then_branch: inner(node('Neg', ['a'], ['p'])),
          else_branch: inner(node('Mul', ['a', 'v'], ['q'])),
        }),
      ],
      { w: drawn([4], 1), v: drawn([4], 2), flag: scalar(1, 'bool') },
    );
    expect(names(model)).toEqual(['w', 'v']);
    expect(describeModel(model).warnings).toEqual(['"v" is not trained: no gradient reaches it']);
    const step = buildStepGraph({ model, loss: 'mean-squared-error', batchSize: 2 });
    expect(step.parameters.map(({ name }) => name)).toEqual(['w', 'v']);
  });
});

const inner = (only: Node): Attribute => {
  const graph = graphOf([only], {}, [], only.outputs[0]!);
  return { kind: 'graph', value: { ...graph, inputs: [] } };
};

test('a model with more inputs or outputs than one says so', () => {
  const model = modelOf([node('ReduceMean', ['x'], ['y'], { keepdims: int(0) })], {
    w: drawn([4], 1),
  });
  const { inputs, outputs } = model.graph;
  const three = { graph: { ...model.graph, inputs: [...inputs, ...inputs, ...inputs] } };
  expect(() => buildStepGraph({ model: three, loss: 'huber', batchSize: 1 })).toThrow(
    'no float32 weight',
  );
  const scaled = modelOf([node('Mul', ['x', 'w'], ['y'])], { w: drawn([4], 1) });
  const many = { graph: { ...scaled.graph, inputs: [...inputs, ...inputs, ...inputs] } };
  expect(() => buildStepGraph({ model: many, loss: 'huber', batchSize: 1 })).toThrow(
    'the model has 3 inputs; one is supported, or two',
  );
  const split = { graph: { ...scaled.graph, outputs: [...outputs, ...outputs] } };
  expect(() => buildStepGraph({ model: split, loss: 'huber', batchSize: 1 })).toThrow(
    'the model has 2 outputs, and one is trained: choose of',
  );
});
