import { assert } from '@starling/core';
import { scalar, type Tensor, tensorOf } from '@starling/onnx';
import { EPOCH_INPUTS } from './epoch-names.ts';
import { biasCorrections, optimizerRule } from './optimizer-rules.ts';
import type { OptimizerSettings } from './optimizers.ts';
import { type Generator, permutation } from './seeded.ts';

/** How an epoch is cut into minibatches. */
export interface MinibatchPlan {
  /** Examples of a minibatch. */
  readonly batchSize: number;
  /** Examples of each epoch's last minibatch: what is left, at most `batchSize`. */
  readonly lastBatch: number;
  /** Minibatches of one epoch. */
  readonly batches: number;
  /** Minibatches whose mean gradient makes one step; the last step of an epoch may have fewer. */
  readonly accumulation: number;
  /**
   * With local DP-SGD: examples of a step on average, each drawn on its own. Then every example is
   * a minibatch, and `accumulation` the most that a step has room for.
   */
  readonly sampled?: number;
}

/** The same, and steps of the optimiser in several epochs. */
export interface EpochPlan extends MinibatchPlan {
  readonly epochs: number;
  /** Steps of the optimiser in all epochs, of which the last may be cut off. */
  readonly steps: number;
}

export interface EpochPlanOptions {
  readonly examples: number;
  /** More than there are examples means all of them. */
  readonly batchSize: number;
  readonly epochs: number;
  /** Most steps of the optimiser; as many as the epochs have when absent or 0. */
  readonly stepsMax?: number;
  /** 1 unless told. */
  readonly accumulation?: number;
}

export function planEpochs(options: EpochPlanOptions): EpochPlan {
  const { examples, epochs, stepsMax = 0, accumulation = 1 } = options;
  assert(examples >= 1 && epochs >= 1, `${epochs} epochs of ${examples} examples`);
  const batchSize = Math.min(options.batchSize, examples);
  const batches = Math.ceil(examples / batchSize);
  const lastBatch = examples - (batches - 1) * batchSize;
  const together = Math.min(accumulation, batches);
  const all = epochs * Math.ceil(batches / together);
  const steps = stepsMax === 0 ? all : Math.min(all, stepsMax);
  return { batchSize, lastBatch, batches, epochs, accumulation: together, steps };
}

/**
 * The same steps for Poisson samples of examples, with room for all but one sample in e^70
 * (Bernstein's inequality for the sum of independent draws).
 */
export function planSamples(options: EpochPlanOptions): EpochPlan {
  const { examples } = options;
  const { batchSize, accumulation, epochs, steps } = planEpochs(options);
  const sampled = Math.min(examples, batchSize * accumulation);
  const room = Math.ceil(sampled + 12 * Math.sqrt(sampled) + 50);
  // At least two: minibatches of a step have an axis of their own.
  const most = Math.max(2, Math.min(examples, room));
  const one = { batchSize: 1, lastBatch: 1, batches: examples };
  return { ...one, accumulation: most, epochs, steps, sampled };
}

/** Steps `from` … `to − 1` of a training, counted from 0. */
export interface StepRange {
  readonly from: number;
  readonly to: number;
}

/** Whether each epoch's last minibatch is smaller than the others. */
export const hasSmallerLast = ({ lastBatch, batchSize }: MinibatchPlan): boolean =>
  lastBatch !== batchSize;

/** Whether each epoch's last step has fewer minibatches than the others. */
export const hasFewerAtEnd = ({ batches, accumulation, sampled }: MinibatchPlan): boolean =>
  sampled === undefined && batches % accumulation !== 0;

/** Steps of one epoch. */
export const stepsPerEpoch = ({ batches, accumulation, sampled }: MinibatchPlan): number =>
  Math.ceil(batches / (sampled ?? accumulation));

/** Minibatches of each step. */
export function minibatchCounts(
  plan: EpochPlan,
  { from, to }: StepRange = { from: 0, to: plan.steps },
): readonly number[] {
  const perEpoch = stepsPerEpoch(plan);
  return Array.from({ length: to - from }, (_, i) => {
    const before = ((from + i) % perEpoch) * plan.accumulation;
    return Math.min(plan.accumulation, plan.batches - before);
  });
}

/** Which minibatches have the size `lastBatch`, of the order's shape without the examples. */
function lastBatchFlags(plan: EpochPlan, range: StepRange): Tensor {
  const perEpoch = stepsPerEpoch(plan);
  const flags = minibatchCounts(plan, range).flatMap((count, step) => {
    const endsEpoch = (range.from + step) % perEpoch === perEpoch - 1;
    return Array.from({ length: plan.accumulation }, (_, i) =>
      Number(endsEpoch && i === count - 1),
    );
  });
  return tensorOf('bool', orderShape(plan, range.to - range.from).slice(0, -1), flags);
}

/**
 * The inputs of an epoch graph that follow from the plan, the optimiser and the steps of a run
 * alone, by name; how many examples a Poisson sample has does not.
 */
export function stepTables(
  plan: EpochPlan,
  optimizer: OptimizerSettings,
  range: StepRange,
): Readonly<Record<string, Tensor>> {
  const steps = range.to - range.from;
  const listed = (dtype: 'int64' | 'float32', values: readonly number[]) =>
    tensorOf(dtype, [steps], values);
  const counts = minibatchCounts(plan, range);
  const corrections = counts.map((_, i) => biasCorrections(optimizer, range.from + i + 1));
  return {
    [EPOCH_INPUTS.steps]: scalar(steps, 'int64'),
    ...(hasSmallerLast(plan) && { [EPOCH_INPUTS.isLast]: lastBatchFlags(plan, range) }),
    ...(hasFewerAtEnd(plan) && {
      [EPOCH_INPUTS.minibatches]: listed('int64', counts),
      [EPOCH_INPUTS.share]: listed(
        'float32',
        counts.map((count) => 1 / count),
      ),
    }),
    ...(optimizerRule(optimizer).counts && {
      [EPOCH_INPUTS.root]: listed(
        'float32',
        corrections.map(({ root }) => root),
      ),
      [EPOCH_INPUTS.ratio]: listed(
        'float32',
        corrections.map(({ ratio }) => ratio),
      ),
    }),
  };
}

/** Shape in which the examples of so many steps are fed. */
export const orderShape = (
  { accumulation, batchSize }: MinibatchPlan,
  steps: number,
): readonly number[] =>
  accumulation === 1 ? [steps, batchSize] : [steps, accumulation, batchSize];

/**
 * Which examples make each minibatch: a fresh permutation of `indices` every epoch. Places that no
 * example takes hold 0 and are not read.
 */
export function minibatchOrder(
  plan: EpochPlan,
  indices: Int32Array,
  generator: Generator,
): Int32Array {
  const { batchSize, batches, accumulation, steps } = plan;
  const order = new Int32Array(steps * accumulation * batchSize);
  const perEpoch = stepsPerEpoch(plan) * accumulation * batchSize;
  assert(indices.length <= batches * batchSize, `${indices.length} examples for another plan`);
  for (let at = 0; at < order.length; at += perEpoch) {
    const epoch = permutation(indices.length, generator);
    for (const [i, place] of epoch.entries()) order[at + i] = indices[place]!;
  }
  return order;
}
