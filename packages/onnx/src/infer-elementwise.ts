import type { Arity, InferenceEntry, InferenceRule } from './inference.ts';
import { MODEL_LIMITS } from './limits.ts';
import { broadcastShapes } from './tensor.ts';
import type { DataType } from './types.ts';

const same: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  return [{ dtype, shape }];
};

const question: InferenceRule = (call) => [{ dtype: 'bool', shape: call.input(0).shape }];

/** @param operands position of the first input that must be of one type with those behind it */
const broadcast =
  (dtype?: DataType, operands = 0): InferenceRule =>
  (call) => {
    let shape: readonly number[] = [];
    const first = call.input(operands);
    for (const [i, input] of call.inputs.entries()) {
      if (i > operands && input.dtype !== first.dtype) {
        call.fail(`input ${i} is ${input.dtype}, input ${operands} is ${first.dtype}`);
      }
      shape =
        broadcastShapes(shape, input.shape) ??
        call.fail(`shapes [${shape}] and [${input.shape}] do not broadcast`);
    }
    return [{ dtype: dtype ?? first.dtype, shape }];
  };

/** The slope stretches to the input, never the other way round. */
const prelu: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const slope = call.input(1).shape;
  if (`${broadcastShapes(shape, slope)}` !== `${shape}`)
    call.fail(`slope [${slope}] of [${shape}]`);
  return [{ dtype, shape }];
};

/** Base and exponent may be of different types; the result has that of the base. */
const power: InferenceRule = (call) => {
  const [base, exponent] = [call.input(0), call.input(1)];
  const shape =
    broadcastShapes(base.shape, exponent.shape) ??
    call.fail(`shapes [${base.shape}] and [${exponent.shape}] do not broadcast`);
  return [{ dtype: base.dtype, shape }];
};

const entries = (names: string, rule: InferenceRule, arity: Arity = [1, 1]) =>
  names.split(' ').map((name): InferenceEntry => [name, rule, arity]);

const BINARY: Arity = [2, 2];

/** Operators that work element by element. */
export const elementwiseEntries: readonly InferenceEntry[] = [
  ...entries('Relu LeakyRelu Elu Sigmoid HardSigmoid HardSwish Tanh Softplus', same),
  ...entries('Exp Log Sqrt Neg Abs Erf Reciprocal Sin Cos Tan Asin Acos Atan', same),
  ...entries('Sinh Cosh Asinh Acosh Atanh Floor Ceil Round Not Identity Dropout', same),
  ...entries('IsNaN IsInf', question),
  ...entries('Clip', same, [1, 3]),
  ...entries('Add Sub Mul Div Mod And Or Xor BitShift', broadcast(), BINARY),
  ...entries('Equal Greater GreaterOrEqual Less LessOrEqual', broadcast('bool'), BINARY),
  ...entries('Max Min', broadcast(), [1, MODEL_LIMITS.aritiesMax]),
  ['Where', broadcast(undefined, 1), [3, 3]],
  ['PRelu', prelu, BINARY],
  ['Pow', power, BINARY],
];
