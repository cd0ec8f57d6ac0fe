import { numberAttribute } from '@starling/onnx';
import { kneeMask, positiveMask } from './masks.ts';
import type { GradientCall, RuleEntry } from './rule.ts';
import { rule } from './rule.ts';

const in0 = ({ x }: GradientCall) => x[0]!;
const out = ({ y }: GradientCall) => y[0]!;
const attribute = ({ node }: GradientCall, name: string, fallback: number) =>
  numberAttribute(node, name, fallback);

const positive = ({ g }: GradientCall, a: string) => g.greater(a, g.number(0));

const activation = (op: string, gradient: (call: GradientCall) => string): RuleEntry =>
  rule(op, (call) => [() => gradient(call)]);

/** 0 up to −3, (2x+3)/6 between, 1 from 3 on. */
function hardSwish(call: GradientCall): string {
  const { g, dy } = call;
  const inner = g.add(g.scale(in0(call), 1 / 3), g.number(0.5));
  const outer = positiveMask(g, in0(call));
  const inside = g.greater(g.number(3), g.call('Abs', [in0(call)]));
  return g.mul(dy, g.where(inside, inner, outer));
}

/** Activation functions that are nodes of their own; the others are written as these and sums. */
export const activationRules: readonly RuleEntry[] = [
  activation('Relu', (c) => c.g.mul(c.dy, positiveMask(c.g, out(c)))),
  activation('LeakyRelu', (c) => c.g.mul(c.dy, kneeMask(c.g, in0(c), attribute(c, 'alpha', 0.01)))),
  rule('PRelu', (c) => [
    () => c.g.where(positive(c, in0(c)), c.dy, c.g.mul(c.dy, c.x[1]!)),
    () => c.g.mul(c.dy, c.g.call('Min', [in0(c), c.g.number(0)])),
  ]),
  // Below 0, alpha·exp(x) is the output plus alpha.
  activation('Elu', (c) => {
    const slope = c.g.add(out(c), c.g.number(attribute(c, 'alpha', 1)));
    return c.g.where(positive(c, in0(c)), c.dy, c.g.mul(c.dy, slope));
  }),
  activation('Sigmoid', (c) => c.g.mul(c.dy, c.g.mul(out(c), c.g.sub(c.g.number(1), out(c))))),
  activation('HardSigmoid', (c) => {
    // y·(1 − y) is positive between the kinks and 0 outside.
    const inside = positiveMask(c.g, c.g.mul(out(c), c.g.sub(c.g.number(1), out(c))));
    return c.g.mul(c.g.scale(c.dy, attribute(c, 'alpha', 0.2)), inside);
  }),
  activation('HardSwish', hardSwish),
  activation('Tanh', (c) => c.g.mul(c.dy, c.g.sub(c.g.number(1), c.g.square(out(c))))),
  activation('Softplus', (c) => c.g.mul(c.dy, c.g.call('Sigmoid', [in0(c)]))),
];
