import { type Attribute, float, int, int64s, ints, scalar, tensorOf, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { resizeRules } from './rules-resize.ts';

type Attributes = Readonly<Record<string, Attribute>>;
const floats = (values: readonly number[]) => tensorOf('float32', [values.length], values);

const pad = (x: number[], pads: number[], attributes: Attributes = {}): Case => ({
  op: 'Pad',
  inputs: [x, int64s(pads)],
  attributes,
});
const padding = (mode: string): readonly Case[] => {
  const attributes = { mode: text(mode) };
  return [
    pad([3, 4], [1, 2, 0, 1], attributes),
    pad([1, 2, 3, 3], [0, 0, 2, 1, 0, 0, 1, 2], attributes),
    pad([5], [-1, 2], attributes),
    pad([4, 3], [0, 1, -2, 0], attributes),
    pad([2, 3], [0, 0, 0, 0], attributes),
    pad([0, 3], [0, 1, 0, 1], attributes),
    { op: 'Pad', inputs: [[2, 4], int64s([1, 2]), undefined, int64s([-1])], attributes },
  ];
};

const scaled = (x: number[], scales: number[], attributes: Attributes = {}): Case => ({
  op: 'Resize',
  inputs: [x, undefined, floats(scales)],
  attributes,
});
const sized = (x: number[], sizes: number[], attributes: Attributes = {}): Case => ({
  op: 'Resize',
  inputs: [x, undefined, undefined, int64s(sizes)],
  attributes,
});
const how = (mode: string, coordinates: string, rest: Attributes = {}): Attributes => ({
  mode: text(mode),
  coordinate_transformation_mode: text(coordinates),
  ...rest,
});

const nearest = ['asymmetric', 'half_pixel', 'align_corners', 'pytorch_half_pixel'].flatMap(
  (coordinates) =>
    ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'].flatMap((rounding) => {
      const attributes = how('nearest', coordinates, { nearest_mode: text(rounding) });
      return [
        scaled([1, 2, 2, 3], [1, 1, 2, 2], attributes),
        sized([1, 1, 3, 4], [1, 1, 5, 6], attributes),
        sized([1, 1, 6, 5], [1, 1, 3, 2], attributes),
        scaled([2, 3], [1.5, 0.7], attributes),
      ];
    }),
);
const mixing = ['asymmetric', 'half_pixel', 'align_corners', 'pytorch_half_pixel'].flatMap(
  (coordinates) => [
    ...['linear', 'cubic'].flatMap((mode) => [
      scaled([1, 2, 2, 3], [1, 1, 2, 2], how(mode, coordinates)),
      sized([1, 1, 4, 5], [1, 1, 6, 3], how(mode, coordinates)),
      sized([2, 1, 3, 2], [2, 1, 1, 5], how(mode, coordinates)),
    ]),
    scaled([1, 1, 2, 2, 3], [1, 1, 2, 1.5, 2], how('linear', coordinates)),
    scaled([1, 2, 4], [1, 1, 2.5], how('linear', coordinates)),
  ],
);

checkGradients(
  [
    ...['constant', 'reflect', 'edge', 'wrap'].flatMap(padding),
    { op: 'Pad', inputs: [[2, 3], int64s([0, 2, 1, 0]), scalar(1.5)] },
    pad([0, 2], [1, 0, 1, 1]),
    pad([], []),
    pad([3], [4, 5], { mode: text('wrap') }),
    pad([1, 2], [2, 0, 1, 0], { mode: text('wrap') }),
    pad([1, 3], [2, 0, 3, 0], { mode: text('edge') }),
    ...nearest,
    ...mixing,
    scaled([2, 2, 3], [1, 1, 3], how('nearest', 'asymmetric', { nearest_mode: text('floor') })),
    scaled([2, 3], [2, 1], how('nearest', 'asymmetric', { nearest_mode: text('floor') })),
    scaled([1, 1, 2, 2], [1, 1, 2, 3], how('nearest', 'tf_half_pixel_for_nn')),
    scaled([1, 1, 3, 4], [1, 1, 2, 2], how('cubic', 'half_pixel', { exclude_outside: int(1) })),
    scaled([1, 1, 3, 4], [1, 1, 2, 2], how('cubic', 'half_pixel', { cubic_coeff_a: float(-0.5) })),
    scaled([0, 1, 2, 2], [1, 1, 2, 2]),
    scaled([1, 1, 2, 2], [1, 1, 1, 1]),
    {
      op: 'Resize',
      inputs: [[1, 2, 2, 2], undefined, floats([2, 3])],
      attributes: { axes: ints([2, -1]) },
    },
    ...['DCR', 'CRD'].map(
      (mode): Case => ({
        op: 'DepthToSpace',
        inputs: [[1, 8, 2, 3]],
        attributes: { blocksize: int(2), mode: text(mode) },
      }),
    ),
    { op: 'DepthToSpace', inputs: [[2, 4, 1, 1]], attributes: { blocksize: int(2) } },
    { op: 'SpaceToDepth', inputs: [[1, 2, 4, 6]], attributes: { blocksize: int(2) } },
    { op: 'SpaceToDepth', inputs: [[2, 1, 3, 3]], attributes: { blocksize: int(3) } },
    { op: 'SpaceToDepth', inputs: [[0, 1, 2, 2]], attributes: { blocksize: int(2) } },
  ],
  resizeRules,
);
