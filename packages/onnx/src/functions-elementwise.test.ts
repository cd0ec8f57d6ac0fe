import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { type Attribute, float, int, scalar, tensorOf, text } from './index.ts';

const wide = (shape: readonly number[]) => ({ shape, low: -4, high: 4, kinks: [] });
const one = (
  op: string,
  opset?: number,
  attributes: Record<string, Attribute> = {},
): ForwardCase => ({ op, inputs: [wide([3, 4])], attributes, ...(opset ? { opset } : {}) });

const bools = (shape: readonly number[], values: readonly number[]) => ({
  fed: tensorOf('bool', shape, values),
});

checkForward([
  ...'Relu LeakyRelu Elu Selu Celu Softsign HardSigmoid HardSwish Softplus Sigmoid Tanh Abs Neg'
    .split(' ')
    .map((op) => one(op)),
  ...'Exp Sin Cos Tan Atan Sinh Cosh Asinh Erf Floor Ceil Round Sign IsNaN IsInf Reciprocal'
    .split(' ')
    .map((op) => one(op)),
  one('Selu', 17, { alpha: float(1.5), gamma: float(1.2) }),
  one('Celu', 17, { alpha: float(0.7) }),
  one('ThresholdedRelu'),
  one('ThresholdedRelu', 17, { alpha: float(-0.5) }),
  one('Shrink', 17, { lambd: float(1), bias: float(0.5) }),
  one('Shrink', 17),
  one('Mish', 18),
  one('Gelu', 20),
  one('Gelu', 20, { approximate: text('tanh') }),
  one('Swish', 24),
  one('Swish', 24, { alpha: float(1.5) }),
  ...['Gelu', 'FastGelu', 'QuickGelu'].map((op) => one(`com.microsoft.${op}`)),
  one('com.microsoft.QuickGelu', 17, { alpha: float(1.2) }),
  { op: 'com.microsoft.FastGelu', inputs: [wide([2, 3]), [3]] },
  { op: 'com.microsoft.BiasGelu', inputs: [wide([2, 3]), [3]] },
  { op: 'Sum', inputs: [[2, 3], [3], [2, 1]] },
  { op: 'Sum', inputs: [[2, 3]] },
  { op: 'Mean', inputs: [[2, 3], [3], [2, 1]] },
  { op: 'Max', inputs: [[2, 3], [3], [2, 1]] },
  { op: 'PRelu', inputs: [wide([2, 3, 2]), [3, 1]] },
  { op: 'Pow', inputs: [[2, 3], scalar(2, 'int64')] },
  { op: 'Clip', inputs: [[2, 3], scalar(-0.5), scalar(0.5)] },
  { op: 'Mod', inputs: [[2, 3], { shape: [3], low: 0.4, high: 1 }], attributes: { fmod: int(1) } },
  { op: 'Xor', inputs: [bools([2], [0, 1]), bools([2, 2], [1, 0, 1, 1])] },
  { op: 'Or', inputs: [bools([2], [0, 1]), bools([2, 2], [1, 0, 0, 1])] },
  {
    op: 'BitShift',
    inputs: [{ fed: tensorOf('uint8', [3], [1, 2, 12]) }, tensorOf('uint8', [1], [2])],
    attributes: { direction: text('LEFT') },
  },
]);
