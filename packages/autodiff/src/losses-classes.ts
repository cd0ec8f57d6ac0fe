import { ProtocolError } from '@starling/core';
import { elementCount, int, ints, tensorOf } from '@starling/onnx';
import type { Count, LossOptions, LossTerms } from './losses.ts';
import type { Ops } from './ops.ts';

interface Classified {
  readonly logits: string;
  /** int32, the logits' shape without the classes. */
  readonly labels: string;
  readonly axis: number;
}

/** What both forms of cross-entropy start from. */
interface SoftmaxParts extends Classified {
  readonly shape: readonly number[];
  readonly classes: number;
  /** Logits minus their greatest, so that no power overflows. */
  readonly shifted: string;
  readonly powers: string;
  /** Sum of the powers, with size 1 along the classes. */
  readonly total: string;
}

/**
 * Mean of −log softmax(logits) at the labels. Whatever operator made them, outputs count as logits.
 * That is right for a model that ends in LogSoftmax too, since log-softmax of log-probabilities is
 * the same again; a model that ends in Softmax is trained through a second softmax, as PyTorch's
 * cross entropy would.
 * @throws ProtocolError `model-mismatch` when the class weights are not one for each class
 */
export function softmaxCrossEntropy(g: Ops, call: Classified, options: LossOptions): LossTerms {
  const { logits, axis } = call;
  const shape = g.shape(logits);
  const classes = shape[axis]!;
  const top = g.call('ReduceMax', [logits], { axes: ints([axis]) });
  const shifted = g.sub(logits, top);
  const powers = g.exp(shifted);
  const total = g.reduceSum(powers, [axis]);
  const parts = { ...call, shape, classes, shifted, powers, total };
  const { labelSmoothing = 0, ignoreIndex = null, classWeights = [] } = options;
  if (classWeights.length > 0 && classWeights.length !== classes) {
    throw new ProtocolError(
      'model-mismatch',
      `softmax-cross-entropy: ${classWeights.length} class weights for output [${shape}], ` +
        `which has ${classes} classes`,
    );
  }
  const plain = labelSmoothing === 0 && ignoreIndex === null && classWeights.length === 0;
  return plain ? plainTerms(g, parts) : softTerms(g, parts, options);
}

const alongClasses = ({ shape, axis }: SoftmaxParts, size: number) =>
  shape.map((_, i) => (i === axis ? size : 1));

/** 1 where a class is the label, else 0; of the logits' shape. */
function oneHot(g: Ops, parts: SoftmaxParts, index: string): string {
  const { classes } = parts;
  const shape = alongClasses(parts, classes);
  const numbers = tensorOf(
    'int32',
    shape,
    Array.from({ length: classes }, (_, i) => i),
  );
  return g.cast(g.equal(index, g.builder.constant(numbers)), 'float32');
}

/** Labels with size 1 along the classes. */
const labelIndex = (g: Ops, { labels, shape, axis }: SoftmaxParts) =>
  g.reshape(labels, shape.with(axis, 1));

function plainTerms(g: Ops, parts: SoftmaxParts): LossTerms {
  const { shape, classes, axis, shifted, powers, total } = parts;
  const index = labelIndex(g, parts);
  const chosen = g.call('GatherElements', [shifted, index], { axis: int(axis) });
  const perTarget = g.sub(g.log(total), chosen);
  const targets = elementCount(shape) / classes;
  return {
    mean: g.call('ReduceMean', [perTarget], { keepdims: int(0) }),
    error: () => g.sub(g.div(powers, total), oneHot(g, parts, index)),
    slope: 1,
    weight: targets,
    targets,
    correct: () => rightAnswers(g, parts, undefined),
  };
}

/**
 * Cross-entropy against soft targets T = w·((1 − s)·onehot + s/classes), zero for ignored labels:
 * the loss is −Σ T·log p, its gradient p·ΣT − T. The mean divides by the sum of the labels'
 * weights.
 */
function softTerms(g: Ops, parts: SoftmaxParts, options: LossOptions): LossTerms {
  const { shape, classes, axis, shifted, powers, total } = parts;
  const { labelSmoothing = 0, ignoreIndex = null, classWeights = [] } = options;
  const weights =
    classWeights.length === 0
      ? undefined
      : g.builder.constant(tensorOf('float32', alongClasses(parts, classes), classWeights));
  const valid = ignoreIndex === null ? undefined : validTargets(g, parts, ignoreIndex);
  const hot = oneHot(g, parts, labelIndex(g, parts));
  const counted = (x: string) => (valid === undefined ? x : g.mul(x, valid));
  const weighted = (x: string) => (weights === undefined ? x : g.mul(x, weights));
  const smoothed =
    labelSmoothing === 0
      ? hot
      : g.add(g.scale(hot, 1 - labelSmoothing), g.number(labelSmoothing / classes));
  const soft = counted(weighted(smoothed));
  // Without weights a target's mass is 1, or 0 where it is ignored.
  const mass = weights === undefined ? valid : g.reduceSum(soft, [axis]);
  const times = (x: string) => (mass === undefined ? x : g.mul(x, mass));
  const perTarget = g.sub(times(g.log(total)), g.reduceSum(g.mul(soft, shifted), [axis]));
  const targets = valid === undefined ? elementCount(shape) / classes : sumOf(g, valid);
  const weight = weights === undefined ? targets : sumOf(g, counted(weighted(hot)));
  const positive: Count = typeof weight === 'number' ? weight : atLeastTiny(g, weight);
  return {
    mean: divided(g, sumOf(g, perTarget), positive),
    error: () => g.sub(times(g.div(powers, total)), soft),
    slope: 1,
    weight: positive,
    targets,
    correct: () => rightAnswers(g, parts, valid),
  };
}

/** 1 for labels that count and 0 for ignored ones, with size 1 along the classes. */
function validTargets(g: Ops, parts: SoftmaxParts, ignoreIndex: number): string {
  const ignored = g.builder.constant(tensorOf('int32', [], [ignoreIndex]));
  const same = g.equal(labelIndex(g, parts), ignored);
  return g.where(same, g.number(0), g.number(1));
}

/** A batch in which nothing counts has loss 0 and trains nothing; PyTorch's loss would be NaN. */
const atLeastTiny = (g: Ops, weight: string) => g.call('Max', [weight, g.number(1e-30)]);

const divided = (g: Ops, sum: string, by: Count) =>
  typeof by === 'number' ? g.scale(sum, 1 / by) : g.div(sum, by);

/** Sum over all axes, a scalar. */
function sumOf(g: Ops, x: string): string {
  const axes = g.shape(x).map((_, i) => i);
  return g.reduceSum(x, axes, false);
}

/** How many greatest logits are at their label. */
function rightAnswers(g: Ops, { logits, labels, axis }: SoftmaxParts, valid: string | undefined) {
  const guess = g.call('ArgMax', [logits], { axis: int(axis), keepdims: int(0) });
  const right = g.cast(g.equal(g.cast(guess, 'int32'), labels), 'float32');
  return sumOf(g, valid === undefined ? right : g.mul(right, g.reshape(valid, g.shape(right))));
}

/**
 * Mean over all elements; logits against targets in 0…1: max(z, 0) − z·t + log(1 + exp(−|z|)),
 * which never overflows.
 */
export function sigmoidCrossEntropy(g: Ops, logits: string, target: string): LossTerms {
  const soft = g.log(g.add(g.number(1), g.exp(g.neg(g.call('Abs', [logits])))));
  const perElement = g.add(g.sub(g.call('Relu', [logits]), g.mul(logits, target)), soft);
  const count = elementCount(g.shape(logits));
  return {
    mean: g.call('ReduceMean', [perElement], { keepdims: int(0) }),
    error: () => g.sub(g.call('Sigmoid', [logits]), target),
    slope: 1,
    weight: count,
    targets: count,
    correct: () => {
      const guess = g.cast(g.greater(logits, g.number(0)), 'int32');
      const truth = g.cast(g.greater(target, g.number(0.5)), 'int32');
      return sumOf(g, g.cast(g.equal(guess, truth), 'float32'));
    },
  };
}
