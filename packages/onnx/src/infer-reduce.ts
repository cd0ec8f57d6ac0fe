import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { intsAttribute, numberAttribute } from './types.ts';

/** Axes of a Reduce node, from the front; all when none are given. */
function reducedAxes(call: InferenceCall): readonly number[] {
  const { shape } = call.input(0);
  const given = call.optional(1) === undefined ? undefined : call.list(1);
  const listed = given ?? intsAttribute(call.node, 'axes') ?? [];
  return listed.length === 0 ? shape.map((_, i) => i) : call.axes(listed, shape.length);
}

const reduce: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axes = reducedAxes(call);
  const keep = numberAttribute(call.node, 'keepdims', 1) === 1;
  const reduced = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return [{ dtype, shape: keep ? reduced : reduced.filter((_, i) => !axes.includes(i)) }];
};

/** Keeps the shape along an axis that must exist. */
const alongAxis: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  call.axis(numberAttribute(call.node, 'axis', -1), shape.length);
  return [{ dtype, shape }];
};

const REDUCTIONS = 'Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp'.split(' ');

/** Operators that go over axes. */
export const reduceEntries: readonly InferenceEntry[] = [
  ['ReduceSum', reduce, [1, 2]],
  ...REDUCTIONS.map((name): InferenceEntry => [`Reduce${name}`, reduce]),
  ...['Softmax', 'Hardmax'].map((op): InferenceEntry => [op, alongAxis]),
];
