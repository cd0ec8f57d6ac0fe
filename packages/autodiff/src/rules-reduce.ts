import { elementCount, intsAttribute, numberAttribute, numbersOf } from '@starling/onnx';
import { equalMask, signMask } from './masks.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

const frontAxis = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

/** Axes of a Reduce node, from the front; all when none are given. */
function reducedAxes({ g, node, x }: GradientCall): readonly number[] {
  const rank = g.shape(x[0]!).length;
  const input = (x[1] ?? '') === '' ? undefined : g.builder.valueOf(x[1]!);
  const given = input === undefined ? (intsAttribute(node, 'axes') ?? []) : numbersOf(input);
  if (given.length === 0) return Array.from({ length: rank }, (_, i) => i);
  return given.map((axis) => frontAxis(axis, rank));
}

/** A value of the output's shape with the reduced axes back, of size 1. */
function kept(call: GradientCall, value: string): string {
  const axes = reducedAxes(call);
  const shape = call.g.shape(call.x[0]!);
  return call.g.reshape(
    value,
    shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  );
}

const sumKept = (call: GradientCall, value: string) => call.g.reduceSum(value, reducedAxes(call));

/** The same gradient for every element that went in. */
const spread = (call: GradientCall, value: string) =>
  call.g.broadcastTo(kept(call, value), call.g.shape(call.x[0]!));

/** Elements that equal the extreme share its gradient, as PyTorch's amax has it. */
function extreme(call: GradientCall): string {
  const { g, x, y, dy } = call;
  const wins = equalMask(g, x[0]!, kept(call, y[0]!));
  return g.mul(wins, g.div(kept(call, dy), sumKept(call, wins)));
}

/**
 * The product of all others. Zeros are counted and left out: an element has a gradient when no zero
 * is among the others.
 */
function product(call: GradientCall): string {
  const { g, x, dy } = call;
  const isZero = g.equal(x[0]!, g.number(0));
  const zeros = g.cast(isZero, 'float32');
  const others = g.sub(sumKept(call, zeros), zeros);
  const filled = g.where(isZero, g.number(1), x[0]!);
  const rest = g.call('ReduceProd', [filled], { axes: axesAttribute(call) });
  const slope = g.div(g.mul(kept(call, dy), rest), filled);
  return g.where(g.equal(others, g.number(0)), slope, g.number(0));
}

const axesAttribute = (call: GradientCall) => ({ kind: 'ints', value: reducedAxes(call) }) as const;

/** x over the norm; 0 where the norm is, as in PyTorch. */
function euclidean(call: GradientCall): string {
  const { g, x, y, dy } = call;
  const norm = kept(call, y[0]!);
  const divisor = g.where(g.equal(norm, g.number(0)), g.number(1), norm);
  return g.mul(x[0]!, g.div(kept(call, dy), divisor));
}

function softmaxAxis({ g, node, x }: GradientCall): number {
  return frontAxis(numberAttribute(node, 'axis', -1), g.shape(x[0]!).length);
}

const reduction = (op: string, gradient: (call: GradientCall) => string): RuleEntry =>
  rule(op, (call) => [() => gradient(call)], [0]);

/** Reductions over some axes, and softmax. */
export const reduceRules: readonly RuleEntry[] = [
  reduction('ReduceSum', (call) => spread(call, call.dy)),
  reduction('ReduceMean', (call) => {
    const { g, x, dy } = call;
    const ratio = elementCount(g.shape(dy)) / elementCount(g.shape(x[0]!));
    return spread(call, g.scale(dy, ratio));
  }),
  reduction('ReduceMax', extreme),
  reduction('ReduceMin', extreme),
  reduction('ReduceProd', product),
  reduction('ReduceL1', (call) => {
    const { g, x, dy } = call;
    return g.mul(signMask(g, x[0]!), kept(call, dy));
  }),
  reduction('ReduceL2', euclidean),
  reduction('ReduceSumSquare', (call) => {
    const { g, x, dy } = call;
    return g.mul(x[0]!, g.scale(kept(call, dy), 2));
  }),
  reduction('ReduceLogSum', (call) => {
    const { g, y, dy } = call;
    return spread(call, g.div(dy, g.exp(y[0]!)));
  }),
  reduction('ReduceLogSumExp', (call) => {
    const { g, x, y, dy } = call;
    return g.mul(kept(call, dy), g.exp(g.sub(x[0]!, kept(call, y[0]!))));
  }),
  rule('Softmax', (call) => [
    () => {
      const { g, y, dy } = call;
      const inner = g.reduceSum(g.mul(dy, y[0]!), [softmaxAxis(call)]);
      return g.mul(y[0]!, g.sub(dy, inner));
    },
  ]),
];
