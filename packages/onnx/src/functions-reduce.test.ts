import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { int, int64s, ints } from './index.ts';

const names = 'Sum Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp'.split(' ');
const x = { shape: [2, 3, 2], low: 0.3, high: 2 };

const reductions = names.flatMap((name): ForwardCase[] => {
  const op = `Reduce${name}`;
  const old = name === 'Sum' ? 11 : 13;
  return [
    { op, inputs: [x], opset: old },
    { op, inputs: [x], attributes: { axes: ints([-1, 0]), keepdims: int(0) }, opset: old },
    { op, inputs: [x, int64s([1])], opset: 18 },
    { op, inputs: [x, int64s([-1, 1])], attributes: { keepdims: int(0) }, opset: 18 },
    { op, inputs: [x, int64s([])], opset: 18 },
    { op, inputs: [x], attributes: { keepdims: int(0) }, opset: 18 },
    { op, inputs: [x, int64s([])], attributes: { noop_with_empty_axes: int(1) }, opset: 18 },
  ];
});

checkForward([
  ...reductions,
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): ForwardCase[] => [
    ...[-1, 0, 1].map(
      (axis): ForwardCase => ({ op, inputs: [[2, 3, 2]], attributes: { axis: int(axis) } }),
    ),
    // Seen as a matrix, before opset 13.
    ...[0, 1, 2].map(
      (axis): ForwardCase => ({
        op,
        inputs: [[2, 3, 2]],
        attributes: { axis: int(axis) },
        opset: 11,
      }),
    ),
    { op, inputs: [[2, 3, 2]], opset: 11 },
  ]),
]);
