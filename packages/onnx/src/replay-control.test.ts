import { describe, expect, test } from 'vitest';
import {
  type Attribute,
  type Graph,
  GraphBuilder,
  int,
  int64s,
  ints,
  type Node,
  printGraph,
  readModel,
  replayGraph,
  tensorOf,
} from './index.ts';
import { fileOf, graphOf, node } from './testing/files.ts';

const graph = (value: Graph): Attribute => ({ kind: 'graph', value });
const yes = tensorOf('bool', [], [1]);
const count = (value: number) => tensorOf('int64', [], [value]);
const numbers = (...values: number[]) => tensorOf('float32', [values.length], values);

/** Operators, and the graph as text, once the file was read and repeated for x [2, 3]. */
function unrolled(nodes: readonly Node[], initializers: Record<string, ReturnType<typeof count>>) {
  const file = fileOf(graphOf(nodes, { inputs: { x: [2, 3] }, initializers, outputs: ['y'] }));
  const builder = new GraphBuilder();
  const model = readModel(file);
  const bindings = new Map([['x', builder.input('x', { dtype: 'float32', shape: [2, 3] })]]);
  const outputs = replayGraph(model.graph, { builder, bindings });
  return {
    ops: builder.nodes.map(({ op }) => op),
    shape: builder.shape(outputs[0]!),
    text: printGraph(builder.finish('g', outputs)),
    model,
  };
}

describe('If', () => {
  const branches = {
    then_branch: graph(graphOf([node('Squeeze', ['x', 'axis'], ['t'])], { outputs: ['t'] })),
    else_branch: graph(
      graphOf([node('Mul', ['x', 'w'], ['e'])], {
        initializers: { w: numbers(1, 2, 3) },
        outputs: ['e'],
      }),
    ),
  };

  test('the branch that a shape decides for is taken; weights from outside are seen', () => {
    const { ops, text, model } = unrolled(
      [
        node('Shape', ['x'], ['s']),
        node('Gather', ['s', 'axis'], ['size']),
        node('Equal', ['size', 'one'], ['single']),
        node('If', ['single'], ['y'], branches),
      ],
      { axis: int64s([1]), one: int64s([1]) },
    );
    expect(ops).toEqual(['Mul']);
    expect(text).toContain('Mul(x, ');
    // What a branch takes from outside stands behind the condition.
    expect(model.graph.nodes.at(-1)!.inputs).toEqual(['single', 'x', 'axis']);
  });

  test('a condition on data is refused', () => {
    const nodes = [
      node('ReduceMax', ['x'], ['most'], { keepdims: int(0) }),
      node('Greater', ['most', 'zero'], ['single']),
      node('If', ['single'], ['y'], branches),
    ];
    expect(() =>
      unrolled(nodes, { zero: tensorOf('float32', [], [0]), axis: int64s([0]) }),
    ).toThrow('node "y" (If): control flow that depends on data is not supported');
  });
});

describe('Loop', () => {
  /** Carries v, adds x; collects the counter's value as float. */
  const body = graphOf(
    [
      node('Identity', ['go'], ['on']),
      node('Add', ['v', 'x'], ['next']),
      node('Cast', ['i'], ['number'], { to: int(1) }),
    ],
    { inputs: { i: [], go: [], v: [2, 3] }, outputs: ['on', 'next', 'number'] },
  );

  test('a known number of trips is written out', () => {
    const { ops, shape } = unrolled(
      [
        node('Loop', ['trips', 'yes', 'x'], ['last', 'list'], { body: graph(body) }),
        node('Concat', ['list', 'list'], ['both'], { axis: int(0) }),
        node('ReduceSum', ['last'], ['sum'], { keepdims: int(0) }),
        node('Add', ['sum', 'both'], ['y']),
      ],
      { trips: count(3), yes },
    );
    expect(ops).toEqual(['Add', 'Add', 'Add', 'ReduceSum', 'Add']);
    expect(shape).toEqual([6]);
  });

  test('one that ends by data, runs too long or collects nothing is refused', () => {
    const loop = (trips: string) => [
      node('Loop', [trips, 'yes', 'x'], ['y', 'list'], { body: graph(body) }),
    ];
    expect(() => unrolled(loop('trips'), { trips: count(100_000), yes })).toThrow(
      'node "y" (Loop): more than 512 iterations',
    );
    expect(() => unrolled(loop(''), { yes })).toThrow('more than 512 iterations');
    expect(() => unrolled(loop('trips'), { trips: count(0), yes })).toThrow(
      'it collects values over no iteration',
    );
    const open = graphOf(
      [node('Add', ['v', 'x'], ['next']), node('Greater', ['sum', 'zero'], ['on'])],
      { inputs: { i: [], go: [], v: [2, 3] }, outputs: ['on', 'next'] },
    );
    const nodes = [
      node('ReduceSum', ['x'], ['sum'], { keepdims: int(0) }),
      node('Loop', ['trips', 'yes', 'x'], ['y'], { body: graph(open) }),
    ];
    const initializers = { trips: count(3), yes, zero: tensorOf('float32', [], [0]) };
    expect(() => unrolled(nodes, initializers)).toThrow('its end depends on data');
  });
});

test('a Scan goes over the elements of an axis, forth or back', () => {
  const body = graphOf(
    [node('Add', ['state', 'element'], ['sum']), node('Neg', ['sum'], ['out'])],
    {
      inputs: { state: [2], element: [2] },
      outputs: ['sum', 'out'],
    },
  );
  const scan = (attributes: Record<string, Attribute>) =>
    unrolled(
      [
        node('Scan', ['start', 'x'], ['last', 'list'], {
          body: graph(body),
          num_scan_inputs: int(1),
          ...attributes,
        }),
        node('Identity', ['list'], ['y']),
      ],
      { start: numbers(0, 0) },
    );
  const forth = scan({ scan_input_axes: ints([1]), scan_output_axes: ints([-1]) });
  expect(forth.shape).toEqual([2, 3]);
  expect(forth.ops.filter((op) => op === 'Add')).toHaveLength(3);
  const back = scan({
    scan_input_axes: ints([1]),
    scan_input_directions: ints([1]),
    scan_output_directions: ints([1]),
  });
  expect(back.shape).toEqual([3, 2]);
  expect(back.text).not.toEqual(forth.text);
});

test('inner graphs that make names twice, or use what is nowhere, are refused', () => {
  const call = (nodes: readonly Node[]) => () =>
    unrolled(
      [node('If', ['yes'], ['y'], { then_branch: graph(graphOf(nodes, { outputs: ['t'] })) })],
      { yes },
    );
  expect(call([node('Relu', ['ghost'], ['t'])])).toThrow('uses "ghost", which nothing makes');
  expect(call([node('Relu', ['x'], ['t']), node('Exp', ['x'], ['t'])])).toThrow('two nodes make');
  let deep = graphOf([node('Relu', ['x'], ['t'])], { outputs: ['t'] });
  for (let i = 0; i < 6; i++) {
    deep = graphOf([node('If', ['yes'], ['t'], { then_branch: graph(deep) })], { outputs: ['t'] });
  }
  expect(() => unrolled([...deep.nodes, node('Relu', ['t'], ['y'])], { yes })).toThrow(
    'graphs in one another',
  );
});
