import { GraphBuilder, int, int64s, ints, type Node } from '@starling/onnx';
import { expect, test } from 'vitest';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { backward } from './backward.ts';
import { Ops } from './ops.ts';
import { shapeRules } from './rules-shape.ts';

/** Starts, ends, axes and steps of a Slice. */
const slice = (shape: number[], ...ranges: [number, number, number, number][]): Case => {
  const column = (i: 0 | 1 | 2 | 3) => int64s(ranges.map((range) => range[i]));
  return { op: 'Slice', inputs: [shape, column(0), column(1), column(2), column(3)] };
};
const FAR = 2 ** 63;

const slices: readonly Case[] = [
  slice([4, 5], [1, 3, 0, 1], [-3, 5, 1, 1]),
  slice([5], [0, 5, 0, 1]),
  slice([7], [1, 7, 0, 2]),
  slice([7], [1, 6, 0, 3]),
  slice([6], [-1, -FAR, 0, -1]),
  slice([7], [5, 0, 0, -2]),
  slice([3, 8], [2, -FAR, 0, -1], [1, FAR, 1, 3]),
  slice([2, 4, 3], [3, 0, -2, -2]),
  slice([2, 4], [1, 1, 1, 1]),
  slice([2, 0], [0, 1, 0, 1]),
  slice([1, 1], [0, FAR, 1, 1]),
  { op: 'Slice', inputs: [[4, 5], int64s([1, 2]), int64s([FAR, 4])] },
];

checkGradients(
  [
    { op: 'Identity', inputs: [[3, 2]] },
    { op: 'Flatten', inputs: [[2, 3, 2]], attributes: { axis: int(2) } },
    ...[0, 3, -1].map(
      (axis): Case => ({ op: 'Flatten', inputs: [[2, 3, 2]], attributes: { axis: int(axis) } }),
    ),
    { op: 'Reshape', inputs: [[2, 6], int64s([3, -1])] },
    { op: 'Reshape', inputs: [[2, 6], int64s([0, 2, -1])] },
    { op: 'Reshape', inputs: [[2, 0], int64s([0, 4])], attributes: { allowzero: int(1) } },
    { op: 'Reshape', inputs: [[], int64s([1, 1])] },
    { op: 'Transpose', inputs: [[2, 3, 4]], attributes: { perm: ints([2, 0, 1]) } },
    { op: 'Transpose', inputs: [[2, 1, 3]] },
    { op: 'Transpose', inputs: [[2, 0]] },
    { op: 'Squeeze', inputs: [[1, 3, 1], int64s([0, -1])] },
    { op: 'Squeeze', inputs: [[1, 3, 1]] },
    { op: 'Unsqueeze', inputs: [[3], int64s([0, 2])] },
    { op: 'Unsqueeze', inputs: [[], int64s([-1])] },
    { op: 'Expand', inputs: [[2, 1], int64s([3, 2, 2])] },
    { op: 'Expand', inputs: [[3], int64s([1])] },
    { op: 'Expand', inputs: [[1, 2], int64s([0, 2])] },
    {
      op: 'Concat',
      inputs: [
        [2, 1],
        [2, 3],
        [2, 0],
      ],
      attributes: { axis: int(1) },
    },
    {
      op: 'Concat',
      inputs: [
        [1, 2],
        [3, 2],
      ],
      attributes: { axis: int(-2) },
    },
    ...slices,
    { op: 'Split', inputs: [[2, 5], int64s([2, 3])], attributes: { axis: int(1) }, outputs: 2 },
    { op: 'Split', inputs: [[4, 2]], outputs: 2 },
    {
      op: 'Split',
      inputs: [[2, 5]],
      attributes: { axis: int(-1), num_outputs: int(3) },
      outputs: 3,
    },
    { op: 'Split', inputs: [[3, 1], int64s([0, 3])], outputs: 2 },
    { op: 'Tile', inputs: [[2, 3], int64s([2, 1])] },
    { op: 'Tile', inputs: [[1, 2, 1], int64s([3, 2, 2])] },
    { op: 'Tile', inputs: [[2, 2], int64s([1, 1])] },
    { op: 'Tile', inputs: [[2, 2], int64s([0, 1])] },
  ],
  // A cast is another type in the double precision of the check; see below.
  shapeRules.filter(([op]) => op !== 'Cast'),
);

/** Operators between the gradient of y and that of x, after a chain of casts. */
function castGradient(types: readonly number[]): readonly string[] | undefined {
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const x = builder.input('x', { dtype: 'float32', shape: [2] });
  const casts = types.reduce((value, to) => g.call('Cast', [value], { to: int(to) }), x);
  const output = g.mul(casts, g.number(2));
  const nodes: readonly Node[] = [...builder.nodes];
  const seed = builder.input('seed', { dtype: 'float32', shape: [2] });
  const gradients = backward({ g, nodes, output, seed, wanted: [x] });
  const after = builder.nodes.slice(nodes.length).map(({ op }) => op);
  return gradients.has(x) ? after : undefined;
}

test('a cast between floats hands the gradient on, one to integers ends its path', () => {
  expect(castGradient([])).toEqual(['Mul']);
  expect(castGradient([11, 1])).toEqual(['Mul', 'Cast', 'Cast']);
  expect(castGradient([6, 1])).toBeUndefined();
  expect(castGradient([9, 1])).toBeUndefined();
});
