import { type Attribute, int, ints, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { poolRules } from './rules-pool.ts';

type Attributes = Readonly<Record<string, Attribute>>;

/** Values far enough apart that the largest stays it. */
const pool = (op: string, shape: number[], attributes: Attributes = {}): Case => ({
  op,
  inputs: [{ shape, low: -4, high: 4, kinks: [] }],
  attributes,
});
const square = (size: number, stride: number): Attributes => ({
  kernel_shape: ints([size, size]),
  strides: ints([stride, stride]),
});

const windows = (op: string): readonly Case[] => [
  pool(op, [2, 2, 4, 4], square(2, 2)),
  pool(op, [1, 2, 5, 5], square(2, 2)),
  pool(op, [1, 1, 6, 6], square(3, 3)),
  pool(op, [1, 1, 4, 4], square(2, 1)),
  pool(op, [1, 1, 5, 5], square(1, 2)),
  pool(op, [0, 2, 4, 4], square(2, 2)),
  pool(op, [2, 1, 3, 2], { kernel_shape: ints([3, 2]) }),
  pool(op, [1, 2, 5, 4], { kernel_shape: ints([3, 2]), pads: ints([1, 1, 1, 0]) }),
  pool(op, [1, 2, 5], { kernel_shape: ints([3]), strides: ints([2]), pads: ints([1, 1]) }),
  pool(op, [2, 2, 6], { kernel_shape: ints([2]), strides: ints([2]) }),
  pool(op, [1, 1, 4, 2, 2], { kernel_shape: ints([2, 2, 2]), strides: ints([2, 2, 2]) }),
  pool(op, [1, 2, 3, 2, 3], { kernel_shape: ints([2, 1, 2]), pads: ints([1, 0, 0, 0, 0, 1]) }),
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((pad) => [
    pool(op, [1, 1, 5, 4], { ...square(3, 2), auto_pad: text(pad) }),
    pool(op, [1, 1, 6, 7], { ...square(2, 2), auto_pad: text(pad) }),
  ]),
];

const rounded = (op: string): readonly Case[] => [
  pool(op, [1, 1, 5, 5], { ...square(2, 2), ceil_mode: int(1) }),
  pool(op, [1, 1, 6], { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) }),
  pool(op, [1, 1, 4, 4], { ...square(3, 2), pads: ints([1, 1, 1, 1]), ceil_mode: int(1) }),
  pool(op, [1, 1, 5], { kernel_shape: ints([1]), strides: ints([3]), ceil_mode: int(1) }),
];

const included: Attributes = { count_include_pad: int(1) };
const global = [
  [2, 2, 3],
  [2, 2, 3, 2],
  [1, 2, 2, 1, 3],
  [1, 2, 1, 1],
  [0, 2, 3],
];

checkGradients(
  [
    ...['MaxPool', 'AveragePool', 'LpPool'].flatMap(windows),
    ...['MaxPool', 'AveragePool'].flatMap(rounded),
    pool('MaxPool', [1, 1, 7, 6], { kernel_shape: ints([2, 2]), dilations: ints([2, 3]) }),
    pool('MaxPool', [1, 1, 8], {
      kernel_shape: ints([2]),
      dilations: ints([2]),
      strides: ints([2]),
      pads: ints([1, 1]),
    }),
    pool('AveragePool', [1, 2, 4, 4], { ...square(3, 1), pads: ints([1, 1, 1, 1]), ...included }),
    pool('AveragePool', [1, 1, 5], {
      kernel_shape: ints([3]),
      strides: ints([2]),
      pads: ints([1, 0]),
      ...included,
    }),
    pool('AveragePool', [1, 1, 7, 5], { kernel_shape: ints([2, 2]), dilations: ints([3, 2]) }),
    pool('AveragePool', [1, 1, 6], {
      kernel_shape: ints([3]),
      dilations: ints([2]),
      pads: ints([2, 1]),
      ceil_mode: int(1),
      strides: ints([2]),
    }),
    ...[1, 3].map((p) => pool('LpPool', [1, 2, 5, 4], { ...square(2, 2), p: int(p) })),
    ...global.flatMap((shape) =>
      ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'].map((op) => pool(op, shape)),
    ),
    pool('GlobalLpPool', [2, 2, 3], { p: int(1) }),
  ],
  poolRules,
);
