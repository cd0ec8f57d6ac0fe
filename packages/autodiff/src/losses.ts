import { ProtocolError, unreachable } from '@starling/core';
import { elementCount, equalShapes, int, ints } from '@starling/onnx';
import type { Ops } from './ops.ts';

export const LOSS_NAMES = [
  'softmax-cross-entropy',
  'mean-squared-error',
  'sigmoid-binary-cross-entropy',
] as const;
export type LossKind = (typeof LOSS_NAMES)[number];

/** What a loss writes into the graph. */
export interface LossTerms {
  /** Mean over all elements, a scalar. */
  readonly mean: string;
  /** Mean over each example's elements, [batch]. */
  readonly perExample: string;
  /** Gradient of the mean with respect to the model's output, of its shape. */
  readonly gradient: () => string;
  /** Share of each example's elements that are right, [batch]; undefined for regression. */
  readonly hits: (() => string) | undefined;
}

/** Type and shape of the target for an output of shape `output`. */
export function targetType(loss: LossKind, output: readonly number[]) {
  return loss === 'softmax-cross-entropy'
    ? { dtype: 'int32' as const, shape: output.toSpliced(1, 1) }
    : { dtype: 'float32' as const, shape: output };
}

/**
 * Writes a loss over the model's `output` and the `target`.
 * @throws ProtocolError `model-mismatch` when the output's shape does not suit the loss
 */
export function lossTerms(g: Ops, loss: LossKind, output: string, target: string): LossTerms {
  const expected = targetType(loss, g.shape(output)).shape;
  if (!equalShapes(g.shape(target), expected)) {
    throw new ProtocolError(
      'model-mismatch',
      `${loss}: output [${g.shape(output)}] with target [${g.shape(target)}]`,
    );
  }
  switch (loss) {
    case 'softmax-cross-entropy':
      return softmaxCrossEntropy(g, output, target);
    case 'mean-squared-error':
      return meanSquaredError(g, output, target);
    case 'sigmoid-binary-cross-entropy':
      return sigmoidCrossEntropy(g, output, target);
    default:
      return unreachable(loss);
  }
}

/**
 * Output [batch, classes, …] is taken as logits, whatever operator made it. That is right for a
 * model that ends in LogSoftmax too, since log-softmax of log-probabilities is the same again; a
 * model that ends in Softmax is trained through a second softmax, as PyTorch's cross entropy
 * would.
 */
function softmaxCrossEntropy(g: Ops, logits: string, labels: string): LossTerms {
  const shape = g.shape(logits);
  if (shape.length < 2) {
    throw new ProtocolError('model-mismatch', `softmax-cross-entropy: output [${shape}]`);
  }
  const classes = shape[1]!;
  const top = g.call('ReduceMax', [logits], { axes: ints([1]) });
  const shifted = g.sub(logits, top);
  const powers = g.exp(shifted);
  const total = g.reduceSum(powers, [1]);
  const logProbabilities = g.sub(shifted, g.log(total));
  const numbers = g.builder.constant({
    dtype: 'int32',
    shape: [1, classes, ...shape.slice(2).map(() => 1)],
    data: Int32Array.from({ length: classes }, (_, i) => i),
  });
  const oneHot = g.cast(g.equal(g.reshape(labels, shape.with(1, 1)), numbers), 'float32');
  const perElement = g.neg(g.reduceSum(g.mul(oneHot, logProbabilities), [1], false));
  const count = elementCount(shape) / classes;
  return {
    mean: meanOf(g, perElement),
    perExample: perExampleMean(g, perElement),
    gradient: () => g.scale(g.sub(g.div(powers, total), oneHot), 1 / count),
    hits: () => {
      const guess = g.call('ArgMax', [logits], { axis: int(1), keepdims: int(0) });
      const right = g.equal(g.cast(guess, 'int32'), labels);
      return perExampleMean(g, g.cast(right, 'float32'));
    },
  };
}

/** Mean over all elements of the squared difference. */
function meanSquaredError(g: Ops, output: string, target: string): LossTerms {
  const difference = g.sub(output, target);
  const perElement = g.square(difference);
  return {
    mean: meanOf(g, perElement),
    perExample: perExampleMean(g, perElement),
    gradient: () => g.scale(difference, 2 / elementCount(g.shape(output))),
    hits: undefined,
  };
}

/** Logits against targets in 0…1: max(z, 0) − z·t + log(1 + exp(−|z|)), which never overflows. */
function sigmoidCrossEntropy(g: Ops, logits: string, target: string): LossTerms {
  const soft = g.log(g.add(g.number(1), g.exp(g.neg(g.call('Abs', [logits])))));
  const perElement = g.add(g.sub(g.call('Relu', [logits]), g.mul(logits, target)), soft);
  return {
    mean: meanOf(g, perElement),
    perExample: perExampleMean(g, perElement),
    gradient: () => {
      const error = g.sub(g.call('Sigmoid', [logits]), target);
      return g.scale(error, 1 / elementCount(g.shape(logits)));
    },
    hits: () => {
      const guess = g.cast(g.greater(logits, g.number(0)), 'int32');
      const truth = g.cast(g.greater(target, g.number(0.5)), 'int32');
      return perExampleMean(g, g.cast(g.equal(guess, truth), 'float32'));
    },
  };
}

const meanOf = (g: Ops, x: string) => g.call('ReduceMean', [x], { keepdims: int(0) });

/** Mean over all axes but the first. */
function perExampleMean(g: Ops, x: string): string {
  const [batch, ...rest] = g.shape(x);
  if (rest.length === 0) return x;
  const flat = g.reshape(x, [batch!, elementCount(rest)]);
  return g.call('ReduceMean', [flat], { axes: ints([1]), keepdims: int(0) });
}
