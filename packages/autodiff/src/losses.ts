import { ProtocolError, unreachable } from '@starling/core';
import { elementCount, equalShapes, type ValueType } from '@starling/onnx';
import { sigmoidCrossEntropy, softmaxCrossEntropy } from './losses-classes.ts';
import { huber, meanAbsoluteError, meanSquaredError, smoothL1 } from './losses-numbers.ts';
import type { Ops } from './ops.ts';

export const LOSS_NAMES = [
  'softmax-cross-entropy',
  'mean-squared-error',
  'sigmoid-binary-cross-entropy',
  'mean-absolute-error',
  'huber',
  'smooth-l1',
  'model-output',
] as const;
export type LossKind = (typeof LOSS_NAMES)[number];

/** Numbers that some losses take; each has the meaning and the default of PyTorch's. */
export interface LossOptions {
  /** Softmax cross-entropy: share of the target that is spread over all classes; 0 unless told. */
  readonly labelSmoothing?: number;
  /** Softmax cross-entropy: label of targets that do not count; none unless told. */
  readonly ignoreIndex?: number | null;
  /** Softmax cross-entropy: one weight for each class; none unless told. */
  readonly classWeights?: readonly number[];
  /** Huber, smooth L1: where the square goes over into a line; 1 unless told. */
  readonly delta?: number;
}

/**
 * What a loss writes into the graph. The gradient of the mean is `slope / weight` times that of
 * `error`, so that the caller can join that factor with its own.
 */
export interface LossTerms {
  /** Mean over the targets that count, weighted by class where there are weights; a scalar. */
  readonly mean: string;
  /** Of the output's shape. */
  readonly error: () => string;
  readonly slope: number;
  /** What the mean divides by: the number of targets, or the sum of their classes' weights. */
  readonly weight: Count;
  /** Number of targets that count. */
  readonly targets: Count;
  /** Number of right answers among them, a scalar; undefined for regression. */
  readonly correct: (() => string) | undefined;
}

/** A number that is known when the graph is written, or a float32 scalar in it. */
export type Count = number | string;

/** A count as a scalar in the graph. */
export const countValue = (g: Ops, count: Count): string =>
  typeof count === 'number' ? g.number(count) : count;

export interface LossCall {
  readonly loss: LossKind;
  readonly options?: LossOptions | undefined;
  /** The model's output. */
  readonly output: string;
  /** Undefined when the model's output is the loss and the model takes no target. */
  readonly target: string | undefined;
  /** Examples in the batch: how much a loss counts that the model itself has averaged. */
  readonly examples: number;
}

/**
 * Type of the target for an output of shape `output`.
 *
 * Cross-entropy takes labels. Classes are on axis 1 and the labels have the other axes, [batch, …],
 * as in PyTorch; where `given` says that labels have all axes but the last, classes are on the last
 * one, as sequence models have them: [batch, T, classes] with labels [batch, T]. Where both fit,
 * axis 1 wins. All other losses take numbers of the output's shape.
 * @param given shape of the targets at hand
 * @throws ProtocolError `model-mismatch` naming both shapes
 */
export function targetType(
  loss: LossKind,
  output: readonly number[],
  given?: readonly number[],
): ValueType {
  if (loss !== 'softmax-cross-entropy') {
    checkFit(loss, output, output, given);
    return { dtype: 'float32', shape: output };
  }
  if (output.length < 2) {
    const what = `output [${output}] has no axis of classes, as in [batch, classes]`;
    throw new ProtocolError('model-mismatch', `${loss}: ${what}`);
  }
  const axis = classAxis(output, given);
  const shape = output.toSpliced(axis, 1);
  checkFit(loss, output, shape, given);
  return { dtype: 'int32', shape };
}

function checkFit(
  loss: LossKind,
  output: readonly number[],
  wanted: readonly number[],
  given: readonly number[] | undefined,
): void {
  if (given === undefined || equalShapes(given, wanted)) return;
  throw new ProtocolError(
    'model-mismatch',
    `${loss}: output [${output}] takes targets of shape [${wanted}], not [${given}]`,
  );
}

/** Axis of the classes in an output of rank 2 or more. */
function classAxis(output: readonly number[], given: readonly number[] | undefined): number {
  const second = output.toSpliced(1, 1);
  const fits = given === undefined || equalShapes(given, second);
  return !fits && equalShapes(given, output.slice(0, -1)) ? output.length - 1 : 1;
}

/**
 * Writes a loss over the model's output and the target.
 * @throws ProtocolError `model-mismatch` when output, target and options do not fit together
 */
export function lossTerms(g: Ops, call: LossCall): LossTerms {
  const { loss, options = {}, output } = call;
  if (loss === 'model-output') return modelOutput(g, call);
  const target = call.target;
  if (target === undefined) throw new ProtocolError('model-mismatch', `${loss}: no target`);
  targetType(loss, g.shape(output), g.shape(target));
  switch (loss) {
    case 'softmax-cross-entropy': {
      const axis = classAxis(g.shape(output), g.shape(target));
      return softmaxCrossEntropy(g, { logits: output, labels: target, axis }, options);
    }
    case 'sigmoid-binary-cross-entropy':
      return sigmoidCrossEntropy(g, output, target);
    case 'mean-squared-error':
      return meanSquaredError(g, output, target);
    case 'mean-absolute-error':
      return meanAbsoluteError(g, output, target);
    case 'huber':
      return huber(g, g.sub(output, target), options.delta);
    case 'smooth-l1':
      return smoothL1(g, g.sub(output, target), options.delta);
    default:
      return unreachable(loss);
  }
}

/** The model has computed its own loss: a mean over the batch, as models that train return it. */
function modelOutput(g: Ops, { output, examples }: LossCall): LossTerms {
  const shape = g.shape(output);
  if (elementCount(shape) !== 1) {
    throw new ProtocolError(
      'model-mismatch',
      `model-output: the model's output has shape [${shape}]; a loss is one number`,
    );
  }
  return {
    mean: g.reshape(output, []),
    error: () => g.broadcastTo(g.number(1), shape),
    slope: examples,
    weight: examples,
    targets: examples,
    correct: undefined,
  };
}
