import { expect, test } from 'vitest';
import {
  type Attribute,
  GraphBuilder,
  int,
  int64s,
  type Node,
  numbersOf,
  replayGraph,
  type Tensor,
  tensorOf,
} from './index.ts';
import { graphOf, node } from './testing/files.ts';

const at = (value: number) => tensorOf('int64', [], [value]);

/** The graph's output y for the constants a, b, c and x = 0 … 5. */
function result(nodes: readonly Node[], more: Record<string, Tensor> = {}): Tensor {
  const builder = new GraphBuilder();
  const initializers = {
    ...{ a: int64s([1]), b: int64s([2]), c: int64s([3, 4]), x: int64s([0, 1, 2, 3, 4, 5]) },
    ...more,
  };
  const graph = graphOf(nodes, { initializers, outputs: ['y'] });
  const [y] = replayGraph(graph, { builder, bindings: new Map() });
  return builder.valueOf(y!)!;
}
const joined = (name: string, attributes: Record<string, Attribute> = {}) =>
  node('ConcatFromSequence', [name], ['y'], { axis: int(0), ...attributes });

test('tensors are put into a sequence, inserted, erased, counted and taken out', () => {
  const all = node('SequenceConstruct', ['a', 'b', 'c'], ['s']);
  expect(numbersOf(result([all, joined('s')]))).toEqual([1, 2, 3, 4]);
  const second = node('SequenceAt', ['s', 'p'], ['y']);
  for (const [position, value] of [
    [1, 2],
    [-3, 1],
  ] as const) {
    expect(numbersOf(result([all, second], { p: at(position) }))).toEqual([value]);
  }
  expect(numbersOf(result([all, node('SequenceLength', ['s'], ['y'])]))).toEqual([3]);
  const erase = node('SequenceErase', ['s', 'p'], ['t']);
  expect(numbersOf(result([all, erase, joined('t')], { p: at(-2) }))).toEqual([1, 3, 4]);
  const insert = node('SequenceInsert', ['s', 'c', 'p'], ['t']);
  expect(numbersOf(result([all, insert, joined('t')], { p: at(-1) }))).toEqual([1, 2, 3, 4, 3, 4]);
  const empty = [
    node('SequenceEmpty', [], ['e']),
    node('Identity', ['e'], ['same']),
    node('SequenceInsert', ['same', 'b'], ['t']),
  ];
  expect(numbersOf(result([...empty, joined('t')]))).toEqual([2]);
});

test('a tensor is split by sizes, by one size, or into single elements', () => {
  const split = (inputs: string[], attributes: Record<string, Attribute> = {}) =>
    node('SplitToSequence', inputs, ['s'], attributes);
  const third = node('SequenceAt', ['s', 'p'], ['y']);
  const part = (call: Node, sizes?: Tensor) =>
    result([call, third], { p: at(2), ...(sizes && { sizes }) });
  expect(numbersOf(part(split(['x', 'sizes']), int64s([1, 2, 3])))).toEqual([3, 4, 5]);
  expect(numbersOf(part(split(['x', 'sizes']), at(2)))).toEqual([4, 5]);
  expect(part(split(['x'])).shape).toEqual([1]);
  expect(part(split(['x'], { keepdims: int(0) })).shape).toEqual([]);
  expect(result([split(['x']), joined('s', { new_axis: int(1) })]).shape).toEqual([6, 1]);
});

test('what cannot be is refused with its node', () => {
  const all = node('SequenceConstruct', ['a', 'b'], ['s']);
  expect(() => result([all, node('Neg', ['s'], ['y'])])).toThrow(
    'node "y" (Neg): input 0 is a sequence',
  );
  expect(() => result([node('SequenceLength', ['a'], ['y'])])).toThrow('input 0 is not a sequence');
  const take = node('SequenceAt', ['s', 'p'], ['y']);
  expect(() => result([all, take], { p: at(2) })).toThrow('node "y" (SequenceAt): position 2 of 2');
  expect(() => result([all])).toThrow('the graph output uses "y", which nothing makes');
  expect(() => result([all, node('Identity', ['s'], ['y'])])).toThrow(
    'the graph output "y" is a sequence',
  );
});
