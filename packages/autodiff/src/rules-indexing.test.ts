import { type Attribute, int, int64s, type Tensor, tensorOf, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { indexingRules } from './rules-indexing.ts';
import { createGenerator } from './seeded.ts';

const indices = (shape: number[], values: number[]) => tensorOf('int64', shape, values);
const fed = (shape: number[], values: number[]) => ({ fed: indices(shape, values) });

/** Random indices into an axis of `size`, negative ones among them. */
function drawn(shape: number[], size: number): Tensor {
  const generator = createGenerator(size);
  const count = shape.reduce((product, dim) => product * dim, 1);
  return indices(
    shape,
    Array.from({ length: count }, () => generator.below(2 * size) - size),
  );
}

const gathers: readonly Case[] = [
  { op: 'Gather', inputs: [[4, 3], int64s([2, 0, 2])] },
  { op: 'Gather', inputs: [[4, 3], fed([3], [2, -4, 2])] },
  { op: 'Gather', inputs: [[4, 3], { fed: tensorOf('int32', [2, 2], [3, 0, -1, 3]) }] },
  { op: 'Gather', inputs: [[2, 4, 2], int64s([3, 3])], attributes: { axis: int(1) } },
  { op: 'Gather', inputs: [[2, 4, 2], fed([2], [-1, 3])], attributes: { axis: int(-2) } },
  { op: 'Gather', inputs: [[4, 3], indices([], [-1])] },
  { op: 'Gather', inputs: [[4, 3], int64s([1, 2])] },
  { op: 'Gather', inputs: [[5], int64s([-2, -1])] },
  { op: 'Gather', inputs: [[4, 3], fed([0], [])] },
  // Beyond a one-hot matrix.
  { op: 'Gather', inputs: [[260, 1], { fed: drawn([60], 260) }] },
  {
    op: 'Gather',
    inputs: [[1, 257, 2], { fed: drawn([3, 20], 257) }],
    attributes: { axis: int(1) },
  },
];

const reductions: Record<string, Attribute>[] = [{}, { reduction: text('add') }];

const scatters = reductions.flatMap((attributes): Case[] => [
  { op: 'ScatterND', inputs: [[4, 2], fed([2, 1], [3, 0]), [2, 2]], attributes },
  { op: 'ScatterND', inputs: [[4], indices([2, 1], [-1, 1]), [2]], attributes },
  { op: 'ScatterND', inputs: [[2, 3], fed([2, 2], [0, 1, 1, 2]), [2]], attributes },
  { op: 'ScatterND', inputs: [[2, 3], fed([0, 1], []), [0, 3]], attributes },
  { op: 'ScatterElements', inputs: [[3, 3], fed([2, 2], [2, 0, 1, 2]), [2, 2]], attributes },
  {
    op: 'ScatterElements',
    inputs: [[1, 4], fed([1, 2], [-1, 1]), [1, 2]],
    attributes: { ...attributes, axis: int(-1) },
  },
]);

const flags = [0, 1].flatMap((exclusive) => [0, 1].map((reverse) => ({ exclusive, reverse })));

checkGradients(
  [
    ...gathers,
    { op: 'GatherElements', inputs: [[3, 2], fed([2, 2], [2, 0, -1, 0])] },
    {
      op: 'GatherElements',
      inputs: [[2, 3], fed([1, 4], [2, 2, 0, -3])],
      attributes: { axis: int(1) },
    },
    { op: 'GatherElements', inputs: [[2, 3], fed([0, 3], [])] },
    { op: 'GatherND', inputs: [[3, 2], fed([2, 1], [2, 2])] },
    { op: 'GatherND', inputs: [[3, 2], fed([3, 2], [0, 1, -1, 0, 0, 1])] },
    {
      op: 'GatherND',
      inputs: [[2, 3, 2], fed([2, 1], [2, 0])],
      attributes: { batch_dims: int(1) },
    },
    {
      op: 'GatherND',
      inputs: [[2, 2, 3], indices([2, 2, 1], [0, 1, 2, -1])],
      attributes: { batch_dims: int(2) },
    },
    ...scatters,
    // Repeated places add up.
    {
      op: 'ScatterND',
      inputs: [[3], fed([3, 1], [1, 1, 0]), [3]],
      attributes: { reduction: text('add') },
    },
    {
      op: 'ScatterElements',
      inputs: [[3], fed([3], [1, 1, 0]), [3]],
      attributes: { reduction: text('add') },
    },
    { op: 'TopK', inputs: [[2, 5], int64s([2])], outputs: 2 },
    {
      op: 'TopK',
      inputs: [[4, 2], int64s([3])],
      attributes: { axis: int(0), largest: int(0), sorted: int(0) },
      outputs: 2,
    },
    { op: 'TopK', inputs: [[3], int64s([0])], outputs: 2 },
    { op: 'Trilu', inputs: [[3, 4]] },
    { op: 'Trilu', inputs: [[2, 3, 3], indices([], [-1])], attributes: { upper: int(0) } },
    { op: 'Trilu', inputs: [[3, 2], indices([], [1])] },
    ...flags.map(
      ({ exclusive, reverse }): Case => ({
        op: 'CumSum',
        inputs: [[3, 4], indices([], [reverse - 1])],
        attributes: { exclusive: int(exclusive), reverse: int(reverse) },
      }),
    ),
    { op: 'OneHot', inputs: [fed([2, 2], [0, -1, 5, 1]), indices([], [3]), [2]] },
    {
      op: 'OneHot',
      inputs: [{ fed: tensorOf('float32', [3], [2, 0, 1]) }, int64s([4]), [2]],
      attributes: { axis: int(0) },
    },
    {
      op: 'Compress',
      inputs: [[3, 2], tensorOf('bool', [3], [1, 0, 1])],
      attributes: { axis: int(0) },
    },
    { op: 'Compress', inputs: [[3, 2], tensorOf('bool', [3], [0, 1, 1])] },
    { op: 'ReverseSequence', inputs: [[4, 2, 2], fed([2], [3, 1])] },
    {
      op: 'ReverseSequence',
      inputs: [[2, 4], fed([2], [4, 2])],
      attributes: { batch_axis: int(0), time_axis: int(1) },
    },
  ],
  indexingRules,
);
