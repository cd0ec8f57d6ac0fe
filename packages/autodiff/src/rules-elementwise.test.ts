import { type Attribute, int, scalar, tensorOf } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { elementwiseRules } from './rules-elementwise.ts';

const SHAPES = [[3, 2], [1], [], [2, 1, 2], [0, 3]];
const BROADCASTS = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1],
    [1, 4],
  ],
  [[1], [3, 2]],
  [[], [2, 2]],
  [
    [1, 3, 1],
    [2, 1, 2],
  ],
  [[0, 2], [2]],
  [
    [1, 2],
    [0, 1],
  ],
];

/** Operators of one input, and the range where they are defined. */
const RANGES: readonly (readonly [ops: string, low: number, high: number])[] = [
  ['Neg Abs Exp Erf Sin Cos Atan Sinh Cosh Asinh', -1.5, 1.5],
  ['Log Sqrt', 0.25, 3],
  ['Reciprocal', 0.4, 2],
  ['Reciprocal', -2, -0.4],
  ['Tan', -1.2, 1.2],
  ['Asin Acos Atanh', -0.8, 0.8],
  ['Acosh', 1.2, 3],
];
const unary = RANGES.flatMap(([ops, low, high]) =>
  ops
    .split(' ')
    .flatMap((op) => SHAPES.map((shape): Case => ({ op, inputs: [{ shape, low, high }] }))),
);

const binary = ['Add', 'Sub', 'Mul', 'Max', 'Min'].flatMap((op) =>
  BROADCASTS.map((inputs): Case => ({ op, inputs })),
);
const positive = { low: 0.4, high: 2 };
const division = BROADCASTS.map(([a, b]): Case => {
  return { op: 'Div', inputs: [a, { shape: b!, ...positive }] };
});
const powers = BROADCASTS.map(([a, b]): Case => {
  return { op: 'Pow', inputs: [{ shape: a!, ...positive }, b] };
});
const constantPowers = [2, 3, 1, 0, 0.5, -1, 1.7].map(
  (exponent): Case => ({
    op: 'Pow',
    inputs: [{ shape: [2, 3], ...positive }, scalar(exponent)],
  }),
);
const clip = (inputs: Case['inputs'], attributes: Record<string, Attribute> = {}): Case => ({
  op: 'Clip',
  inputs,
  attributes,
});
const inside = { shape: [2, 4], kinks: [-0.5, 0.75] };
const condition = (shape: readonly number[], values: readonly number[]) => ({
  fed: tensorOf('bool', shape, values),
});

checkGradients(
  [
    ...unary,
    ...binary,
    ...division,
    ...powers,
    ...constantPowers,
    { op: 'Pow', inputs: [[2, 3], scalar(2, 'int64')] },
    { op: 'Pow', inputs: [[2, 3], scalar(3, 'int32')] },
    { op: 'Pow', inputs: [scalar(2), [2, 3]] },
    { op: 'Pow', inputs: [[4], tensorOf('float32', [4], [2, 0, 1, 3])] },
    { op: 'Max', inputs: [[2, 3]] },
    { op: 'Max', inputs: [[2, 3], [3], [2, 1]] },
    { op: 'Min', inputs: [[1], [2, 2], [], [2, 1]] },
    { op: 'Max', inputs: [{ shape: [3, 2], kinks: [0.25] }, scalar(0.25)] },
    {
      op: 'Mod',
      inputs: [
        { shape: [2, 3], kinks: [-0.8, 0, 0.8] },
        { shape: [], low: 0.8, high: 0.8 },
      ],
      attributes: { fmod: int(1) },
    },
    clip([inside, scalar(-0.5), scalar(0.75)]),
    clip([inside, scalar(-0.5)]),
    clip([inside, undefined, scalar(0.75)]),
    clip([inside]),
    clip([[0]]),
    { op: 'Where', inputs: [condition([2, 3], [1, 0, 1, 1, 0, 0]), [2, 3], [2, 3]] },
    { op: 'Where', inputs: [condition([2, 1], [1, 0]), [3], []] },
    { op: 'Where', inputs: [condition([], [1]), [2, 1], [1, 3]] },
    { op: 'Where', inputs: [condition([3], [0, 1, 0]), scalar(1), [2, 3]] },
    { op: 'Where', inputs: [condition([0, 1], []), [3], [1, 3]] },
    { op: 'Sum', inputs: [[2, 3]] },
    { op: 'Sum', inputs: [[2, 3], [3], [1, 1]] },
    { op: 'Mean', inputs: [[2, 3], [3], [], [1, 3]] },
    { op: 'Mean', inputs: [[0, 3], [3]] },
  ],
  elementwiseRules,
);
