import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { elementCount, tensorOf } from './tensor.ts';
import { int, ints, textAttribute } from './types.ts';

/**
 * Logarithms of softmax along axis 1. Any shift near the greatest value keeps the powers finite;
 * the one here is rounded, because no gradient passes that, and what is subtracted cancels anyway.
 */
function logSoftmax(call: FunctionCall): string {
  const x = call.x[0]!;
  const top = call.op('Ceil', [call.op('ReduceMax', [x], { axes: ints([1]) })]);
  const shifted = call.sub(x, top);
  const total = call.op('ReduceSum', [call.op('Exp', [shifted]), call.integers([1])]);
  return call.sub(shifted, call.op('Log', [total]));
}

/** Mean, sum or list of −weight·log p at the labels, ONNX operators since opset 12. */
function negativeLogLikelihood(call: FunctionCall, logProbabilities: string): string {
  const { node, builder } = call;
  const labels = call.x[1]!;
  const [scores, targets] = [call.input(0).shape, call.input(1).shape];
  if (scores.length < 2 || `${scores.toSpliced(1, 1)}` !== `${targets}`) {
    call.fail(`scores of [${scores}] with labels of [${targets}]`);
  }
  const ignored = node.attributes.get('ignore_index');
  const { dtype } = call.input(1);
  const whole = (value: number) => builder.constant(tensorOf(dtype, [], [value]));
  const isIgnored =
    ignored?.kind === 'int' ? call.op('Equal', [labels, whole(ignored.value)]) : undefined;
  const safe = isIgnored === undefined ? labels : call.op('Where', [isIgnored, whole(0), labels]);
  const index = call.reshape(safe, scores.with(1, 1));
  const chosen = call.op('GatherElements', [logProbabilities, index], { axis: int(1) });
  const losses = call.op('Neg', [call.reshape(chosen, targets)]);
  const weight = targetWeights(call, safe, isIgnored);
  const weighted = weight === undefined ? losses : call.mul(losses, weight);
  const sum = (values: string) => call.op('ReduceSum', [values], { keepdims: int(0) });
  switch (textAttribute(node, 'reduction', 'mean')) {
    case 'none':
      return weighted;
    case 'sum':
      return sum(weighted);
    default:
      if (weight !== undefined) return call.div(sum(weighted), sum(weight));
      return call.scale(sum(weighted), 1 / elementCount(targets));
  }
}

/** Weight of each target; undefined when all count the same. */
function targetWeights(
  call: FunctionCall,
  labels: string,
  isIgnored: string | undefined,
): string | undefined {
  const given = call.given(2);
  const ofClass = given === undefined ? undefined : call.op('Gather', [given, labels]);
  if (isIgnored === undefined) return ofClass;
  return call.op('Where', [isIgnored, call.number(0), ofClass ?? call.number(1)]);
}

const crossEntropy: FunctionBody = (call) => {
  const logProbabilities = logSoftmax(call);
  return [negativeLogLikelihood(call, logProbabilities), logProbabilities];
};

/** Losses that a model computes itself. */
export const lossFunctions: readonly FunctionEntry[] = [
  ['SoftmaxCrossEntropyLoss', crossEntropy, [2, 3]],
  ['NegativeLogLikelihoodLoss', (call) => [negativeLogLikelihood(call, call.x[0]!)], [2, 3]],
];
