import { assert, ProtocolError } from '@starling/core';
import { ringBudget } from '@starling/secagg';
import { type CodecOptions, checkSums, plainGrid, type UpdateCodec, updateCodec } from './codec.ts';
import type { Combination } from './combine.ts';
import {
  decodeMetrics,
  encodeMetrics,
  type MetricSums,
  type Metrics,
  type MetricsForm,
  metricWords,
} from './metrics.ts';
import { joinNumbers, NUMBER_BITS, NUMBER_MAX, splitNumbers, wordsOfNumber } from './numbers.ts';
import { rotatedRange } from './rotation.ts';
import type { ServerOptimizer } from './server-optimizer.ts';
import { chosenCount } from './sparsity.ts';

/** How a job's updates become words, and sums of words a new global model. */
export interface JobCodec extends CodecOptions, MetricsForm {
  /** How much one buffer (a statistic of BatchNormalization) may change in a round. */
  readonly bufferRange: number;
  readonly optimizer: ServerOptimizer;
  readonly combination: Combination;
  /** Examples that make the greatest weight; every update counts the same when absent. */
  readonly weightCap?: number;
  /** FedNova: local steps of a usual peer; updates are not normalised when absent. */
  readonly referenceSteps?: number;
  /** Weights are rotated before they are quantised; not when absent. */
  readonly rotation?: 'hadamard';
  /** Peers add to an update what was lost of those before; not when absent. */
  readonly errorFeedback?: true;
  /** Share of the weights that is sent, below 1; all when absent. */
  readonly sparsity?: number;
}

/** What a peer's update rests on. */
export interface Effort {
  readonly examples: number;
  readonly localSteps: number;
}

/** The grid of weights; after a rotation all of them are small (decision 0026). */
export const weightCodec = (codec: JobCodec, parameters: number): UpdateCodec =>
  codec.rotation === undefined
    ? updateCodec(codec)
    : updateCodec({ ...codec, range: rotatedRange(codec.clippingNorm, parameters) });

/**
 * The grid of buffers: their own range, since nobody clips them (design decision 6a), and points
 * that are numbers of NUMBER_BITS, however narrow the ring is.
 */
export const bufferCodec = (codec: JobCodec): UpdateCodec => ({
  ...updateCodec(codec),
  ...plainGrid(NUMBER_BITS, codec.bufferRange),
});

/** Weights that are sent of so many. */
export const sentWeights = ({ sparsity }: JobCodec, parameters: number): number =>
  sparsity === undefined ? parameters : chosenCount(parameters, sparsity);

/**
 * What the mean of chosen weights is multiplied by, so that it is right on average over all draws;
 * 1 with error feedback, which sends later what was not drawn.
 */
export function sparsityScale(codec: JobCodec, parameters: number): number {
  if (codec.errorFeedback === true || parameters === 0) return 1;
  return parameters / sentWeights(codec, parameters);
}

/** Where the parts of a job's vector lie, in words. */
export interface WordLayout {
  readonly weights: number;
  readonly buffers: number;
  readonly tail: number;
  /** Of all three, in this order. */
  readonly length: number;
}

export function wordLayout(
  codec: JobCodec,
  model: { readonly parameters: number; readonly buffers: number },
): WordLayout {
  const weights = sentWeights(codec, model.parameters);
  const buffers = model.buffers * wordsOfNumber(updateCodec(codec));
  const tail = tailWords(codec);
  return { weights, buffers, tail, length: weights + buffers + tail };
}

/** Bytes of one vector, each of its kinds. */
export interface VectorBytes {
  /** One peer's masked update, which goes to the owners of its chunks, once to each owner. */
  readonly update: number;
  /** The sum over `peers`, which each peer fetches; wider by the bits that they add. */
  readonly sum: number;
  /** The same model in float32: what a plain update or sum takes. */
  readonly float32: number;
}

export function vectorBytes(
  codec: JobCodec,
  model: { readonly parameters: number; readonly buffers: number },
  peers: number,
): VectorBytes {
  const { length } = wordLayout(codec, model);
  const packed = (bits: number) => Math.ceil((length * bits) / 8);
  return {
    update: packed(codec.bits),
    sum: packed(ringBudget(codec.bits, peers)),
    float32: 4 * (model.parameters + model.buffers),
  };
}

/**
 * Words behind the model's: a weight and a number of steps where the job has them, and the metrics.
 * With noise there are none: it would have to hide them, too.
 */
export function tailWords(codec: JobCodec): number {
  const { weightCap, referenceSteps, noise } = codec;
  if (noise !== undefined) return 0;
  const grid = updateCodec(codec);
  const numbers = (weightCap === undefined ? 0 : 1) + (referenceSteps === undefined ? 0 : 1);
  return numbers * wordsOfNumber(grid) + metricWords(grid, codec);
}

/** Bounded weighting: w = min(examples, cap) / cap, from 0 to 1; 1 when all count the same. */
export function weightOf({ weightCap }: JobCodec, { examples }: Effort): number {
  return weightCap === undefined ? 1 : Math.min(examples, weightCap) / weightCap;
}

/**
 * FedNova (Wang et al. 2020, §4): updates are brought to as many steps as a usual peer takes, so
 * that those who take more do not pull the model towards their own optimum.
 */
export function normalisationOf({ referenceSteps }: JobCodec, { localSteps }: Effort): number {
  return referenceSteps === undefined ? 1 : referenceSteps / Math.max(1, localSteps);
}

/** One peer's words behind its model's. */
export function encodeTail(codec: JobCodec, effort: Effort, metrics: Metrics): Uint32Array {
  if (codec.noise !== undefined) return new Uint32Array(0);
  const grid = updateCodec(codec);
  const { weightCap, referenceSteps } = codec;
  const numbers: number[] = [];
  if (weightCap !== undefined) {
    assert(weightCap <= NUMBER_MAX, `a weight of ${weightCap} in ${NUMBER_BITS} bits`);
    numbers.push(Math.min(effort.examples, weightCap));
  }
  if (referenceSteps !== undefined) {
    const steps = Math.round(weightOf(codec, effort) * effort.localSteps);
    numbers.push(Math.min(steps, NUMBER_MAX));
  }
  return Uint32Array.of(...splitNumbers(numbers, grid), ...encodeMetrics(metrics, grid, codec));
}

const NO_METRICS: MetricSums = { lossSum: 0, correct: 0, examples: 0, seconds: 0 };

/** What the tail of a sum says of the sum. */
export interface Tail {
  /** Sum of all weights: what the sum of updates is divided by. */
  readonly divisor: number;
  /** FedNova's effective steps over the reference; 1 without it. */
  readonly steps: number;
  readonly metrics: MetricSums;
}

/**
 * Only + − × ÷ on whole numbers: the same in every engine.
 * @param sums the last `tailWords` of the sums of `count` peers
 * @throws ProtocolError 'sum-out-of-range' where no `count` peers can add up to them
 */
export function decodeTail(codec: JobCodec, sums: Uint32Array, count: number): Tail {
  assert(sums.length === tailWords(codec), `${sums.length} words behind the model`);
  if (codec.noise !== undefined) return { divisor: count, steps: 1, metrics: NO_METRICS };
  const grid = updateCodec(codec);
  checkSums(sums, count, grid);
  const { weightCap, referenceSteps } = codec;
  const metricsAt = sums.length - metricWords(grid, codec);
  const numbers = [...joinNumbers(sums.subarray(0, metricsAt), count, grid)];
  const divisor = weightCap === undefined ? count : numbers.shift()! / weightCap;
  if (divisor === 0 || divisor > count) {
    throw new ProtocolError('sum-out-of-range', `weights of ${count} peers add up to ${divisor}`);
  }
  const steps = referenceSteps === undefined ? 1 : numbers.shift()! / divisor / referenceSteps;
  const metrics = decodeMetrics(sums.subarray(metricsAt), count, grid, codec);
  return { divisor, steps, metrics };
}
