import { type Attribute, int, ints, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { convRules } from './rules-conv.ts';

type Attributes = Readonly<Record<string, Attribute>>;

const conv = (x: number[], w: number[], attributes: Attributes = {}): Case => ({
  op: 'Conv',
  inputs: [x, w, [w[0]!]],
  attributes,
});
/** @param w [C, M/group, …kernel] */
const transposed = (x: number[], w: number[], attributes: Attributes = {}): Case => {
  const group = attributes['group'];
  const groups = group?.kind === 'int' ? group.value : 1;
  return { op: 'ConvTranspose', inputs: [x, w, [w[1]! * groups]], attributes };
};

const convolutions = [
  conv([2, 2, 5, 5], [3, 2, 3, 3]),
  {
    op: 'Conv',
    inputs: [
      [1, 2, 4],
      [3, 2, 2],
    ],
  },
  conv([1, 2, 1, 1], [2, 2, 1, 1]),
  conv([0, 2, 4, 4], [2, 2, 3, 3]),
  conv([1, 2, 3, 4], [2, 2, 3, 4]),
  conv([1, 2, 6, 5], [2, 2, 3, 2], { strides: ints([2, 2]), pads: ints([1, 0, 1, 1]) }),
  conv([1, 2, 4, 4], [2, 2, 1, 1], { strides: ints([2, 2]) }),
  conv([2, 1, 7], [2, 1, 3], { dilations: ints([2]), strides: ints([2]), pads: ints([2, 1]) }),
  conv([1, 1, 9], [1, 1, 2], { strides: ints([4]) }),
  conv([2, 4, 5, 5], [4, 2, 3, 3], { group: int(2), strides: ints([2, 1]) }),
  conv([2, 4, 4], [6, 2, 2], { group: int(2) }),
  conv([1, 2, 2, 3, 2], [2, 2, 2, 2, 1]),
  conv([1, 1, 3, 4, 3], [2, 1, 2, 2, 2], {
    strides: ints([2, 1, 1]),
    pads: ints([1, 0, 0, 0, 0, 1]),
  }),
  conv([1, 4, 2, 3, 2], [4, 2, 1, 2, 2], { group: int(2), dilations: ints([1, 2, 1]) }),
  // Depthwise, with one filter or two for each channel.
  conv([1, 3, 4, 4], [3, 1, 3, 3], { group: int(3), pads: ints([1, 1, 1, 1]) }),
  conv([2, 2, 5], [4, 1, 3], { group: int(2), strides: ints([2]), pads: ints([1, 1]) }),
  conv([1, 2, 2, 2, 3], [2, 1, 2, 1, 2], { group: int(2) }),
];

const autoPads = ['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((pad) => [
  conv([1, 1, 5, 6], [1, 1, 3, 4], { strides: ints([2, 2]), auto_pad: text(pad) }),
  conv([1, 2, 6], [2, 1, 2], { group: int(2), auto_pad: text(pad) }),
  conv([1, 1, 4, 3, 3], [1, 1, 2, 2, 3], { strides: ints([2, 1, 2]), auto_pad: text(pad) }),
  conv([1, 1, 7], [1, 1, 2], { dilations: ints([3]), auto_pad: text(pad) }),
]);

const transpositions = [
  transposed([2, 2, 3, 3], [2, 3, 3, 3]),
  {
    op: 'ConvTranspose',
    inputs: [
      [1, 2, 3],
      [2, 1, 2],
    ],
  },
  transposed([0, 2, 3], [2, 2, 2]),
  transposed([1, 1, 1, 1], [1, 2, 2, 2]),
  transposed([1, 2, 3, 2], [2, 2, 3, 2], { strides: ints([2, 3]), pads: ints([1, 0, 0, 1]) }),
  transposed([1, 2, 3], [2, 1, 3], { strides: ints([3]), output_padding: ints([2]) }),
  transposed([1, 2, 3], [2, 2, 2], {
    strides: ints([2]),
    dilations: ints([2]),
    output_padding: ints([1]),
  }),
  transposed([1, 4, 3, 3], [4, 2, 2, 2], { group: int(2), strides: ints([2, 2]) }),
  transposed([2, 3, 4], [3, 1, 3], { group: int(3), pads: ints([1, 1]) }),
  transposed([1, 2, 2, 2, 2], [2, 1, 2, 1, 2], { strides: ints([2, 1, 2]) }),
  transposed([1, 2, 3, 3], [2, 1, 3, 3], { strides: ints([2, 2]), output_shape: ints([6, 5]) }),
  transposed([1, 1, 3], [1, 1, 2], { strides: ints([3]), output_shape: ints([9]) }),
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].map((pad) =>
    transposed([1, 1, 3, 2], [1, 2, 3, 2], { strides: ints([2, 1]), auto_pad: text(pad) }),
  ),
];

checkGradients([...convolutions, ...autoPads, ...transpositions], convRules);
