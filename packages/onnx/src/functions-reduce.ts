import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { type Attribute, int, ints, intsAttribute, numberAttribute } from './types.ts';

/** What a reduction over no axis leaves of each element. */
const OVER_NOTHING: ReadonlyMap<string, (call: FunctionCall) => string> = new Map([
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceLogSumExp'].map(
    (op) => [op, (call: FunctionCall) => call.x[0]!] as const,
  ),
  ...['ReduceL1', 'ReduceL2'].map(
    (op) => [op, (call: FunctionCall) => call.op('Abs', [call.x[0]!])] as const,
  ),
  ['ReduceSumSquare', (call) => call.square(call.x[0]!)],
  ['ReduceLogSum', (call) => call.op('Log', [call.x[0]!])],
]);

/**
 * Axes may be an attribute or an input, depending on operator and opset; opset 17 has the input for
 * ReduceSum and the attribute for all others.
 */
const reduce: FunctionBody = (call) => {
  const { node } = call;
  const given = call.given(1) === undefined ? undefined : call.list(1);
  const axes = given ?? intsAttribute(node, 'axes') ?? [];
  const attributes: Record<string, Attribute> = {
    keepdims: int(numberAttribute(node, 'keepdims', 1)),
  };
  if (axes.length === 0) {
    const noop = numberAttribute(node, 'noop_with_empty_axes', 0) === 1;
    if (noop) return [OVER_NOTHING.get(node.op)!(call)];
    return [call.op(node.op, [call.x[0]!], attributes)];
  }
  if (node.op === 'ReduceSum') {
    return [call.op(node.op, [call.x[0]!, call.integers(axes)], attributes)];
  }
  return [call.op(node.op, [call.x[0]!], { axes: ints(axes), ...attributes })];
};

/**
 * x − log Σ exp x, after a shift that keeps exp within bounds. Any shift near the maximum gives the
 * same, so its whole part serves: no gradient flows through that, as none should.
 */
const logSoftmax: FunctionBody = (call) => {
  const x = call.x[0]!;
  const axis = call.axis(numberAttribute(call.node, 'axis', -1), call.input(0).shape.length);
  const largest = call.op('ReduceMax', [x], { axes: ints([axis]), keepdims: int(1) });
  const shifted = call.sub(x, call.op('Floor', [largest]));
  const sum = call.op('ReduceSum', [call.op('Exp', [shifted]), call.integers([axis])], {
    keepdims: int(1),
  });
  return [call.sub(shifted, call.op('Log', [sum]))];
};

/** Reductions in one form, and what GPUs lack of the softmax family. */
export const reduceFunctions: readonly FunctionEntry[] = [
  ...[...OVER_NOTHING.keys()].map((op): FunctionEntry => [op, reduce, [1, 2]]),
  ['LogSoftmax', logSoftmax],
];
