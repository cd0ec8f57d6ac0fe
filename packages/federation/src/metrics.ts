import { assert } from '@starling/core';
import { checkSums, type UpdateCodec } from './codec.ts';

/** What peers measured with the incoming model on their validation splits, added up. */
export interface Metrics {
  /** Sum of per-example losses, each within [0, LOSS_MAX]; whole numbers on the wire. */
  readonly lossSum: number;
  /** Examples classified correctly. */
  readonly correct: number;
  readonly examples: number;
}

/** Ring words that the metrics take at the end of a job's vector. */
export const METRIC_WORDS = 3;
/** The trainer clamps each example's loss to [0, LOSS_MAX]. */
export const LOSS_MAX = 16;

/** Examples that a peer may count, so that even the greatest loss sum fits one peer's value. */
export const examplesMax = (codec: UpdateCodec): number => Math.floor(codec.valueMax / LOSS_MAX);

/**
 * The three words [lossSum, correct, examples] of one peer: plain integers, the loss rounded to the
 * nearest. A loss that is not finite counts as the greatest: the model diverged, the round goes on.
 * @throws InvariantError on more examples than `examplesMax`, or impossible counts
 */
export function encodeMetrics(metrics: Metrics, codec: UpdateCodec): Uint32Array {
  const { lossSum, correct, examples } = metrics;
  const cap = examplesMax(codec);
  assert(Number.isInteger(examples) && examples >= 0 && examples <= cap, `examples: ${examples}`);
  assert(Number.isInteger(correct) && correct >= 0 && correct <= examples, `correct: ${correct}`);
  const worst = LOSS_MAX * examples;
  const loss = Number.isFinite(lossSum) ? Math.min(worst, Math.max(0, lossSum)) : worst;
  return Uint32Array.of(Math.round(loss), correct, examples);
}

/**
 * The metrics of `count` peers together from the ring's sums. They are the contributors' word: a
 * lying peer can claim any counts within its own share of the range.
 * @throws ProtocolError 'sum-out-of-range' where no `count` values can add up to the sum
 */
export function decodeMetrics(sums: Uint32Array, count: number, codec: UpdateCodec): Metrics {
  assert(sums.length === METRIC_WORDS, `${sums.length} metric words`);
  checkSums(sums, count, codec);
  return { lossSum: sums[0]!, correct: sums[1]!, examples: sums[2]! };
}
