import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { type Attribute, int, ints, text } from './index.ts';

type Attributes = Readonly<Record<string, Attribute>>;
const AUTO = ['SAME_UPPER', 'SAME_LOWER', 'VALID'];

const pool = (op: string, x: number[], attributes: Attributes, opset = 17): ForwardCase => ({
  op,
  inputs: [x],
  attributes,
  opset,
});
const square = (size: number, stride: number): Attributes => ({
  kernel_shape: ints([size, size]),
  strides: ints([stride, stride]),
});
const ceil = { ceil_mode: int(1) };
const included = { count_include_pad: int(1) };

const convolutions = AUTO.flatMap((pad): ForwardCase[] => [
  {
    op: 'Conv',
    inputs: [[1, 2, 5, 6], [3, 2, 3, 4], [3]],
    attributes: { strides: ints([2, 1]), auto_pad: text(pad) },
  },
  {
    op: 'Conv',
    inputs: [
      [1, 4, 7],
      [4, 1, 2],
    ],
    attributes: { group: int(4), auto_pad: text(pad) },
  },
  {
    op: 'ConvTranspose',
    inputs: [
      [1, 2, 3, 4],
      [2, 1, 3, 2],
    ],
    attributes: { strides: ints([2, 1]), auto_pad: text(pad) },
  },
]);

const transpositions: readonly ForwardCase[] = [
  { strides: ints([2, 2]), output_shape: ints([6, 5]) },
  { strides: ints([2, 2]), output_shape: ints([4, 5]), auto_pad: text('SAME_UPPER') },
  { strides: ints([2, 2]), output_shape: ints([4, 5]), auto_pad: text('SAME_LOWER') },
  { strides: ints([3, 3]), output_padding: ints([2, 1]), pads: ints([1, 0, 0, 1]) },
  { dilations: ints([2, 1]), pads: ints([1, 1, 2, 0]) },
].map((attributes) => ({
  op: 'ConvTranspose',
  inputs: [
    [1, 2, 3, 3],
    [2, 2, 3, 3],
  ],
  attributes,
}));

const pools = ['MaxPool', 'AveragePool', 'LpPool'].flatMap((op) => [
  ...AUTO.map((pad) => pool(op, [1, 2, 5, 6], { ...square(3, 2), auto_pad: text(pad) })),
  pool(op, [1, 2, 6, 5], { ...square(3, 2), pads: ints([1, 0, 1, 1]) }),
  pool(op, [1, 1, 7], { kernel_shape: ints([2]) }),
]);

const rounded = ['MaxPool', 'AveragePool'].flatMap((op) => [
  pool(op, [1, 1, 5, 5], { ...square(2, 2), ...ceil }),
  pool(op, [1, 1, 6], { kernel_shape: ints([3]), strides: ints([2]), ...ceil }),
  pool(op, [1, 1, 4, 4], { ...square(3, 2), pads: ints([1, 1, 1, 1]), ...ceil }),
]);

checkForward([
  ...convolutions,
  ...transpositions,
  ...pools,
  ...rounded,
  pool('MaxPool', [1, 1, 8], { kernel_shape: ints([2]), dilations: ints([3]) }),
  pool('MaxPool', [1, 1, 5], { kernel_shape: ints([1]), strides: ints([3]), ...ceil }, 22),
  pool('AveragePool', [1, 1, 4, 4], { ...square(3, 2), pads: ints([1, 1, 1, 1]), ...included }),
  pool(
    'AveragePool',
    [1, 1, 5],
    { kernel_shape: ints([3]), strides: ints([2]), ...ceil, ...included },
    19,
  ),
  pool(
    'AveragePool',
    [1, 1, 4, 4],
    { ...square(3, 2), pads: ints([1, 1, 1, 1]), ...ceil, ...included },
    19,
  ),
  pool('AveragePool', [1, 1, 7, 6], { ...square(2, 1), dilations: ints([3, 2]) }, 19),
  pool(
    'AveragePool',
    [1, 1, 7, 6],
    { ...square(2, 1), dilations: ints([3, 2]), pads: ints([1, 1, 1, 1]), ...included },
    19,
  ),
  pool('MaxPool', [1, 2, 8], {
    ...{ kernel_shape: ints([2]), strides: ints([2]), dilations: ints([2]), pads: ints([1, 1]) },
    ...ceil,
  }),
  ...[1, 2, 3].map((p) => pool('LpPool', [1, 2, 5, 4], { ...square(2, 2), p: int(p) })),
  pool('LpPool', [1, 1, 7], { kernel_shape: ints([2]), dilations: ints([3]) }, 18),
  pool('LpPool', [1, 1, 6], { kernel_shape: ints([3]), strides: ints([2]), ...ceil }, 18),
  ...[
    [2, 2, 3],
    [2, 2, 3, 2],
  ].flatMap((shape) =>
    ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'].map((op) => pool(op, shape, {})),
  ),
  pool('GlobalLpPool', [2, 2, 3], { p: int(1) }),
  pool('DepthToSpace', [1, 8, 2, 3], { blocksize: int(2) }),
  pool('DepthToSpace', [1, 8, 2, 3], { blocksize: int(2), mode: text('CRD') }),
  pool('SpaceToDepth', [1, 2, 4, 6], { blocksize: int(2) }),
]);
