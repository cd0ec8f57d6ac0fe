import { numbersOf } from '@starling/onnx';
import { equalMask, signMask } from './masks.ts';
import { once } from './once.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

const in0 = ({ x }: GradientCall) => x[0]!;
const in1 = ({ x }: GradientCall) => x[1]!;
const out = ({ y }: GradientCall) => y[0]!;

/** Rule of y = f(x) by its derivative, given what it may be written with. */
const unary = (op: string, gradient: (call: GradientCall) => string): RuleEntry =>
  rule(op, (call) => [() => gradient(call)]);

const onePlusSquare = ({ g }: GradientCall, a: string) => g.add(g.square(a), g.number(1));
const oneMinusSquare = ({ g }: GradientCall, a: string) => g.sub(g.number(1), g.square(a));
const root = ({ g }: GradientCall, a: string) => g.call('Sqrt', [a]);

/** Gradient to one side of Max or Min; equal values share it, as in PyTorch. */
function winners({ g, x, y, dy }: GradientCall) {
  if (x.length === 1) return [() => dy];
  const wins = x.map((input) => once(() => equalMask(g, input, y[0]!)));
  const each = once(() => {
    const count = wins.map((win) => win()).reduce((sum, win) => g.add(sum, win));
    return g.div(dy, count);
  });
  return wins.map((win) => () => g.mul(each(), win()));
}

/** d(a^b)/da = b·a^(b−1). */
function powerToBase({ g, x, y, dy }: GradientCall): string {
  const [base, exponent] = [x[0]!, x[1]!];
  const value = g.builder.valueOf(exponent);
  const power = value?.data.length === 1 ? numbersOf(value)[0]! : undefined;
  if (power === 2) return g.mul(dy, g.scale(base, 2));
  if (power === 0.5) return g.div(g.scale(dy, 0.5), y[0]!);
  if (power !== undefined) {
    const lower = g.call('Pow', [base, g.number(power === 0 ? 0 : power - 1)]);
    return g.mul(dy, g.scale(lower, power));
  }
  const real = g.cast(exponent, 'float32');
  const slope = g.mul(real, g.call('Pow', [base, g.sub(real, g.number(1))]));
  // At exponent 0 the slope is 0, where 0 · 0^−1 would be no number.
  return g.mul(dy, g.where(g.equal(real, g.number(0)), g.number(0), slope));
}

/** d(a^b)/db = a^b·log a; 0 where the base has no logarithm. */
function powerToExponent({ g, x, y, dy }: GradientCall): string {
  const positive = g.where(g.greater(x[0]!, g.number(0)), x[0]!, g.number(1));
  return g.mul(g.mul(dy, y[0]!), g.log(positive));
}

/** Operators that work element by element; broadcasting is undone by the walker. */
export const elementwiseRules: readonly RuleEntry[] = [
  rule('Add', ({ dy }) => [() => dy, () => dy]),
  rule('Sub', ({ g, dy }) => [() => dy, () => g.neg(dy)]),
  rule('Mul', (c) => [() => c.g.mul(c.dy, in1(c)), () => c.g.mul(c.dy, in0(c))]),
  rule('Div', (c) => [
    () => c.g.div(c.dy, in1(c)),
    () => c.g.neg(c.g.div(c.g.mul(c.dy, out(c)), in1(c))),
  ]),
  // y = a − b·q with a whole number q, which does not move.
  rule('Mod', (c) => [() => c.dy, () => c.g.mul(c.dy, c.g.div(c.g.sub(out(c), in0(c)), in1(c)))]),
  rule('Pow', (c) => [() => powerToBase(c), () => powerToExponent(c)]),
  rule('Max', winners),
  rule('Min', winners),
  rule('Clip', (c) => [() => c.g.mul(c.dy, equalMask(c.g, in0(c), out(c)))], [0]),
  rule(
    'Where',
    (c) => [
      () => c.g.where(in0(c), c.dy, c.g.number(0)),
      () => c.g.where(in0(c), c.g.number(0), c.dy),
    ],
    [1, 2],
  ),
  unary('Neg', ({ g, dy }) => g.neg(dy)),
  unary('Abs', (c) => c.g.mul(c.dy, signMask(c.g, in0(c)))),
  unary('Exp', (c) => c.g.mul(c.dy, out(c))),
  unary('Log', (c) => c.g.div(c.dy, in0(c))),
  unary('Sqrt', (c) => c.g.div(c.g.scale(c.dy, 0.5), out(c))),
  unary('Reciprocal', (c) => c.g.neg(c.g.mul(c.dy, c.g.square(out(c))))),
  unary('Erf', (c) => {
    const bell = c.g.exp(c.g.neg(c.g.square(in0(c))));
    return c.g.mul(c.dy, c.g.scale(bell, 2 / Math.sqrt(Math.PI)));
  }),
  unary('Sin', (c) => c.g.mul(c.dy, c.g.call('Cos', [in0(c)]))),
  unary('Cos', (c) => c.g.neg(c.g.mul(c.dy, c.g.call('Sin', [in0(c)])))),
  unary('Tan', (c) => c.g.mul(c.dy, onePlusSquare(c, out(c)))),
  unary('Asin', (c) => c.g.div(c.dy, root(c, oneMinusSquare(c, in0(c))))),
  unary('Acos', (c) => c.g.neg(c.g.div(c.dy, root(c, oneMinusSquare(c, in0(c)))))),
  unary('Atan', (c) => c.g.div(c.dy, onePlusSquare(c, in0(c)))),
  unary('Sinh', (c) => c.g.mul(c.dy, c.g.call('Cosh', [in0(c)]))),
  unary('Cosh', (c) => c.g.mul(c.dy, c.g.call('Sinh', [in0(c)]))),
  unary('Asinh', (c) => c.g.div(c.dy, root(c, onePlusSquare(c, in0(c))))),
  unary('Acosh', (c) => c.g.div(c.dy, root(c, c.g.sub(c.g.square(in0(c)), c.g.number(1))))),
  unary('Atanh', (c) => c.g.div(c.dy, oneMinusSquare(c, in0(c)))),
];
