import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { type Attribute, float, int64s, ints, scalar, tensorOf, text } from './index.ts';

const floats = (values: readonly number[]) => tensorOf('float32', [values.length], values);
const pad = (x: number[], pads: number[], mode: string, opset: number): ForwardCase => ({
  op: 'Pad',
  inputs: [x, int64s(pads)],
  attributes: { mode: text(mode) },
  opset,
});

const resize = (
  x: number[],
  scales: number[],
  attributes: Record<string, Attribute> = {},
): ForwardCase => ({ op: 'Resize', inputs: [x, undefined, floats(scales)], attributes, opset: 18 });

/** What operator sets before 11 wrote differently. */
const old: readonly ForwardCase[] = [
  { op: 'Upsample', inputs: [[1, 1, 2, 3], floats([1, 1, 2, 3])], opset: 9 },
  {
    op: 'Upsample',
    inputs: [[1, 1, 2, 3]],
    attributes: { scales: { kind: 'floats', value: [1, 1, 2, 3] } },
    opset: 7,
  },
  {
    op: 'Upsample',
    inputs: [[1, 1, 2, 3], floats([1, 1, 2, 2])],
    attributes: { mode: text('linear') },
    opset: 9,
  },
  ...[
    [1, 1, 2, 1.5],
    [1, 1, 0.5, 0.6],
  ].map(
    (scales): ForwardCase => ({
      op: 'Resize',
      inputs: [[1, 1, 4, 5], floats(scales)],
      opset: 10,
    }),
  ),
  {
    op: 'Pad',
    inputs: [[2, 3]],
    attributes: { pads: ints([1, 0, 0, 2]), value: float(0.5) },
    opset: 10,
  },
  {
    op: 'Pad',
    inputs: [[2, 3]],
    attributes: { pads: ints([1, 0, 0, 2]), mode: text('reflect') },
    opset: 9,
  },
];

checkForward([
  ...old,
  ...['constant', 'reflect', 'edge', 'wrap'].flatMap((mode) => [
    pad([3, 4], [1, 2, 0, 1], mode, 19),
    pad([1, 2, 3], [0, 1, 2, 0, 1, 1], mode, 19),
    pad([5], [-1, 2], mode, 19),
    pad([5, 3], [-1, 0, -2, 0], mode, 19),
    pad([5], [-3, 1], mode, 19),
  ]),
  pad([3], [3, 3], 'wrap', 19),
  { op: 'Pad', inputs: [[2, 3], int64s([0, 2, 1, 0]), scalar(1.5)] },
  { op: 'Pad', inputs: [[2, 4], int64s([1, 2]), undefined, int64s([-1])], opset: 18 },
  resize([1, 1, 3, 4], [1, 1, 2, 1.5]),
  resize([1, 1, 3, 4], [2, 1.5], { axes: ints([2, 3]) }),
  resize([1, 1, 3, 4], [1, 1, 0.6, 0.7], { mode: text('linear') }),
  { op: 'Resize', inputs: [[1, 1, 3, 4], undefined, undefined, int64s([1, 1, 5, 2])] },
]);
