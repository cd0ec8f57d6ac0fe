import { int, int64s, type Tensor, tensorOf } from '@starling/onnx';
import type { Operand } from '../helpers/gradient-check.ts';
import { ms, type OracleCase } from './oracle-case.ts';

const indices = (shape: readonly number[], values: readonly number[]): Operand => ({
  fed: tensorOf('int64', shape, values),
});
const gathers = [
  { x: [4, 3], axis: 0, at: indices([2, 2], [3, 0, 3, 1]) },
  { x: [2, 5, 2], axis: 1, at: indices([3], [4, 4, 0]) },
  { x: [2, 3], axis: -1, at: indices([], [2]) },
].map(
  ({ x, axis, at }): OracleCase => ({
    ...{ op: 'Gather', kernel: 'GatherGrad', inputs: [x, at], attributes: { axis: int(axis) } },
    ...{ constants: { shape: int64s(x) }, compared: [0] },
    nodes: (node) => [node(ms('GatherGrad'), ['shape', 'x1', 'dy'], ['d0'], { axis: int(axis) })],
  }),
);

const elementGathers = [
  { x: [3, 4], axis: 1, at: indices([3, 2], [3, 0, 1, 1, 2, 0]) },
  { x: [4, 2], axis: 0, at: indices([3, 2], [3, 0, 3, 1, 0, 0]) },
].map(({ x, axis, at }): OracleCase => {
  const attributes = { axis: int(axis) };
  return {
    ...{ op: 'GatherElements', kernel: 'GatherElementsGrad', inputs: [x, at], attributes },
    ...{ constants: { shape: int64s(x) }, compared: [0] },
    nodes: (node) => [node(ms('GatherElementsGrad'), ['dy', 'shape', 'x1'], ['d0'], attributes)],
  };
});

const slice = (x: readonly number[], ranges: readonly (readonly number[])[]): OracleCase => {
  const lists = ranges.map((list) => int64s(list));
  const constants: Record<string, Tensor> = { shape: int64s(x) };
  for (const [i, list] of lists.entries()) constants[`range${i}`] = list;
  const names = lists.map((_, i) => `range${i}`);
  return {
    ...{ op: 'Slice', kernel: 'SliceGrad', inputs: [x, ...lists], constants, compared: [0] },
    nodes: (node) => [node(ms('SliceGrad'), ['dy', 'shape', ...names], ['d0'])],
  };
};
const slices = [
  slice(
    [4, 5],
    [
      [1, 0],
      [3, 4],
      [0, 1],
      [1, 1],
    ],
  ),
  slice([6, 3], [[0], [6], [0], [2]]),
  slice([2, 7], [[-6], [-1], [1], [3]]),
];

/** The gradient of the first part; nothing flows into the others. */
const splits = [
  { x: [5, 2], axis: 0, sizes: [2, 3] },
  { x: [2, 6], axis: 1, sizes: [1, 2, 3] },
].map(({ x, axis, sizes }): OracleCase => {
  const attributes = { axis: int(axis) };
  const rest = sizes.slice(1).map((size, i) => {
    const shape = x.with(axis, size);
    const zeros = new Array<number>(shape.reduce((a, b) => a * b)).fill(0);
    return [`rest${i}`, tensorOf('float32', shape, zeros)] as const;
  });
  return {
    ...{ op: 'Split', kernel: 'ConcatTraining', inputs: [x, int64s(sizes)], attributes },
    ...{ outputs: sizes.length, compared: [0], constants: Object.fromEntries(rest) },
    nodes: (node) => {
      const parts = ['dy', ...rest.map(([name]) => name)];
      return [node(ms('ConcatTraining'), parts, ['d0', 'lengths'], attributes)];
    },
  };
});

const joins = [0, 1].map((axis): OracleCase => {
  const [a, b] = [
    [2, 3],
    [2, 3],
  ];
  const attributes = { axis: int(axis) };
  return {
    ...{ op: 'Concat', kernel: 'SplitTraining', inputs: [a!, b!], attributes, compared: [0, 1] },
    constants: { sizes: int64s([a![axis]!, b![axis]!]) },
    nodes: (node) => [node(ms('SplitTraining'), ['dy', 'sizes'], ['d0', 'd1'], attributes)],
  };
});

/** What chooses, cuts and joins. */
export const indexingOracles: readonly OracleCase[] = [
  ...gathers,
  ...elementGathers,
  ...slices,
  ...splits,
  ...joins,
];
