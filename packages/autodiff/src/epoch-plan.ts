import { assert } from '@starling/core';
import { type Tensor, tensorOf } from '@starling/onnx';
import { permutation, type Generator as RandomGenerator } from './seeded.ts';

/** How local epochs are cut into minibatches and steps of the optimiser. */
export interface EpochPlan {
  /** Examples of a minibatch. */
  readonly batchSize: number;
  /** Examples of each epoch's last minibatch: what is left, at most `batchSize`. */
  readonly lastBatch: number;
  /** Minibatches of one epoch. */
  readonly batches: number;
  readonly epochs: number;
  /** Minibatches whose mean gradient makes one step; the last step of an epoch may have fewer. */
  readonly accumulation: number;
  /** Steps of the optimiser in all epochs. */
  readonly steps: number;
}

export interface EpochPlanOptions {
  readonly examples: number;
  /** More than there are examples means all of them. */
  readonly batchSize: number;
  readonly epochs: number;
  /** 1 unless told. */
  readonly accumulation?: number;
}

export function planEpochs(options: EpochPlanOptions): EpochPlan {
  const { examples, epochs, accumulation = 1 } = options;
  assert(examples >= 1 && epochs >= 1, `${epochs} epochs of ${examples} examples`);
  const batchSize = Math.min(options.batchSize, examples);
  const batches = Math.ceil(examples / batchSize);
  const lastBatch = examples - (batches - 1) * batchSize;
  const together = Math.min(accumulation, batches);
  const steps = epochs * Math.ceil(batches / together);
  return { batchSize, lastBatch, batches, epochs, accumulation: together, steps };
}

/** Minibatches of each step. */
export function minibatchCounts(plan: EpochPlan): readonly number[] {
  const perEpoch = plan.steps / plan.epochs;
  return Array.from({ length: plan.steps }, (_, step) => {
    const before = (step % perEpoch) * plan.accumulation;
    return Math.min(plan.accumulation, plan.batches - before);
  });
}

/**
 * Which minibatches have the size `lastBatch`, of the order's shape without the examples; undefined
 * when all are of one size.
 */
export function lastBatchFlags(plan: EpochPlan): Tensor | undefined {
  if (plan.lastBatch === plan.batchSize) return undefined;
  const perEpoch = plan.steps / plan.epochs;
  const flags = minibatchCounts(plan).flatMap((count, step) => {
    const endsEpoch = step % perEpoch === perEpoch - 1;
    return Array.from({ length: plan.accumulation }, (_, i) =>
      Number(endsEpoch && i === count - 1),
    );
  });
  return tensorOf('bool', orderShape(plan).slice(0, -1), flags);
}

/** Shape in which `minibatchOrder` is fed. */
export const orderShape = ({ steps, accumulation, batchSize }: EpochPlan): readonly number[] =>
  accumulation === 1 ? [steps, batchSize] : [steps, accumulation, batchSize];

/**
 * Which examples make each minibatch: a fresh permutation of `indices` every epoch. Places that no
 * example takes hold 0 and are not read.
 */
export function minibatchOrder(
  plan: EpochPlan,
  indices: Int32Array,
  generator: RandomGenerator,
): Int32Array {
  const { batchSize, batches, accumulation, epochs, steps } = plan;
  const order = new Int32Array(steps * accumulation * batchSize);
  const perEpoch = (steps / epochs) * accumulation * batchSize;
  assert(indices.length <= batches * batchSize, `${indices.length} examples for another plan`);
  for (let at = 0; at < order.length; at += perEpoch) {
    const epoch = permutation(indices.length, generator);
    for (const [i, place] of epoch.entries()) order[at + i] = indices[place]!;
  }
  return order;
}

/** One minibatch of a run, where the host feeds each by itself. */
export interface PlannedMinibatch {
  /** Step of the optimiser that it belongs to, from 0 on. */
  readonly step: number;
  /** Where its rows begin in the order, and how many there are. */
  readonly start: number;
  readonly size: number;
  /** Its share in the mean of its step. */
  readonly share: number;
  /** Whether the optimiser steps behind it. */
  readonly ends: boolean;
}

/** All minibatches of a run, one after another, as `buildEpochGraph` takes them. */
export function* minibatches(plan: EpochPlan): Generator<PlannedMinibatch> {
  const perEpoch = plan.steps / plan.epochs;
  for (const [step, count] of minibatchCounts(plan).entries()) {
    for (let i = 0; i < count; i++) {
      const endsEpoch = step % perEpoch === perEpoch - 1 && i === count - 1;
      yield {
        step,
        start: (step * plan.accumulation + i) * plan.batchSize,
        size: endsEpoch ? plan.lastBatch : plan.batchSize,
        share: 1 / count,
        ends: i === count - 1,
      };
    }
  }
}
