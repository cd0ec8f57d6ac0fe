import { ProtocolError } from '@starling/core';
import { numberAttribute, numbersOf } from '@starling/onnx';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

const in0 = ({ x }: GradientCall) => x[0]!;
const in1 = ({ x }: GradientCall) => x[1]!;
const out = ({ y }: GradientCall) => y[0]!;

/** The exponent of a Pow when it is one constant number. */
function exponentOf({ g, node, x }: GradientCall): number {
  const value = g.builder.valueOf(x[1]!);
  if (value?.data.length === 1) return numbersOf(value)[0]!;
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}" (Pow): only a constant scalar exponent has a gradient`,
  );
}

/** Gradient to one side of Max or Min; of equal values the first takes all. */
const winner = (call: GradientCall) =>
  call.x.map((x, i) => () => {
    const { g, dy } = call;
    const earlier = call.x.slice(0, i);
    let share = dy;
    for (const other of earlier) share = g.where(g.equal(other, out(call)), g.number(0), share);
    return g.where(g.equal(x, out(call)), share, g.number(0));
  });

/** Operators that work element by element; broadcasting is undone by the walker. */
export const elementwiseRules: readonly RuleEntry[] = [
  rule('Add', ({ dy }) => [() => dy, () => dy]),
  rule('Sub', ({ g, dy }) => [() => dy, () => g.neg(dy)]),
  rule('Mul', (c) => [() => c.g.mul(c.dy, in1(c)), () => c.g.mul(c.dy, in0(c))]),
  rule('Div', (c) => [
    () => c.g.div(c.dy, in1(c)),
    () => c.g.neg(c.g.div(c.g.mul(c.dy, out(c)), in1(c))),
  ]),
  rule('Sum', ({ x, dy }) => x.map(() => () => dy)),
  rule('Max', winner),
  rule('Min', winner),
  rule('Neg', ({ g, dy }) => [() => g.neg(dy)]),
  rule('Abs', (c) => [
    () => {
      const { g, dy } = c;
      const below = g.where(g.greater(g.number(0), in0(c)), g.neg(dy), g.number(0));
      return g.where(g.greater(in0(c), g.number(0)), dy, below);
    },
  ]),
  rule('Relu', (c) => [() => c.g.where(c.g.greater(out(c), c.g.number(0)), c.dy, c.g.number(0))]),
  rule('LeakyRelu', (c) => [
    () => {
      const scaled = c.g.scale(c.dy, numberAttribute(c.node, 'alpha', 0.01));
      return c.g.where(c.g.greater(in0(c), c.g.number(0)), c.dy, scaled);
    },
  ]),
  rule('PRelu', (c) => [
    () => c.g.where(c.g.greater(in0(c), c.g.number(0)), c.dy, c.g.mul(c.dy, in1(c))),
    () => c.g.where(c.g.greater(in0(c), c.g.number(0)), c.g.number(0), c.g.mul(c.dy, in0(c))),
  ]),
  rule('Sigmoid', (c) => [() => c.g.mul(c.dy, c.g.mul(out(c), c.g.sub(c.g.number(1), out(c))))]),
  rule('Tanh', (c) => [() => c.g.mul(c.dy, c.g.sub(c.g.number(1), c.g.square(out(c))))]),
  rule('Exp', (c) => [() => c.g.mul(c.dy, out(c))]),
  rule('Log', (c) => [() => c.g.div(c.dy, in0(c))]),
  rule('Sqrt', (c) => [() => c.g.div(c.g.scale(c.dy, 0.5), out(c))]),
  rule('Reciprocal', (c) => [() => c.g.neg(c.g.mul(c.dy, c.g.square(out(c))))]),
  rule('Erf', (c) => [
    () => {
      const bell = c.g.exp(c.g.neg(c.g.square(in0(c))));
      return c.g.mul(c.dy, c.g.scale(bell, 2 / Math.sqrt(Math.PI)));
    },
  ]),
  rule('Sin', (c) => [() => c.g.mul(c.dy, c.g.call('Cos', [in0(c)]))]),
  rule('Cos', (c) => [() => c.g.neg(c.g.mul(c.dy, c.g.call('Sin', [in0(c)])))]),
  rule('Softplus', (c) => [() => c.g.mul(c.dy, c.g.call('Sigmoid', [in0(c)]))]),
  rule(
    'Pow',
    (c) => [
      () => {
        const exponent = exponentOf(c);
        if (exponent === 2) return c.g.mul(c.dy, c.g.scale(in0(c), 2));
        const power = c.g.call('Pow', [in0(c), c.g.number(exponent - 1)]);
        return c.g.mul(c.dy, c.g.scale(power, exponent));
      },
    ],
    [0],
  ),
  rule('Clip', (c) => [() => c.g.where(c.g.equal(in0(c), out(c)), c.dy, c.g.number(0))], [0]),
  rule(
    'Where',
    (c) => [
      () => c.g.where(in0(c), c.dy, c.g.number(0)),
      () => c.g.where(in0(c), c.g.number(0), c.dy),
    ],
    [1, 2],
  ),
];
