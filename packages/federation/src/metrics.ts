import { assert } from '@starling/core';
import { checkSums, type UpdateCodec } from './codec.ts';
import { joinNumbers, NUMBER_MAX, splitNumbers, wordsOfNumber } from './numbers.ts';

/** What peers measured with the incoming model on their validation splits, added up. */
export interface Metrics {
  /** Sum of per-example losses, each within [0, LOSS_MAX]; whole numbers on the wire. */
  readonly lossSum: number;
  /** Examples classified correctly. */
  readonly correct: number;
  readonly examples: number;
  /** How long the round took; counts in a job that is timed. */
  readonly seconds?: number;
  /**
   * The job's own metrics, each the sum over the examples of where between its bounds an example
   * is, from 0 to 1; in a job that has some.
   */
  readonly named?: readonly number[];
}

/** The sums of a round. */
export type MetricSums = Required<Omit<Metrics, 'named'>> & Pick<Metrics, 'named'>;

/** What of the metrics a job's vector carries. */
export interface MetricsForm {
  /** Whether the job ends after a time, and so counts it. */
  readonly timed?: true;
  /** How many metrics of its own the job has. */
  readonly named?: number;
}

/** Steps of a named metric on one example: sums are whole numbers. */
export const NAMED_STEPS = 16;

/** Ring words that the metrics take at the end of a job's vector. */
export const metricWords = (
  codec: Pick<UpdateCodec, 'valueBits'>,
  { timed, named = 0 }: MetricsForm = {},
): number => (3 + (timed ? 1 : 0) + named) * wordsOfNumber(codec);
/** The trainer clamps each example's loss to [0, LOSS_MAX]. */
export const LOSS_MAX = 16;
/** Examples that a peer may count, so that even the greatest loss sum fits a number. */
export const EXAMPLES_MAX = Math.floor(NUMBER_MAX / LOSS_MAX);

/**
 * The numbers lossSum, correct, examples of one peer as words, and its seconds where the job is
 * timed; loss and seconds rounded to the nearest. A loss that is not finite counts as the greatest:
 * the model diverged, the round goes on.
 * @throws InvariantError on more examples than EXAMPLES_MAX, or impossible counts
 */
export function encodeMetrics(
  metrics: Metrics,
  codec: UpdateCodec,
  { timed, named = 0 }: MetricsForm = {},
): Uint32Array {
  const { lossSum, correct, examples } = metrics;
  const isPossible = Number.isInteger(examples) && examples >= 0 && examples <= EXAMPLES_MAX;
  assert(isPossible, `examples: ${examples}`);
  assert(Number.isInteger(correct) && correct >= 0 && correct <= examples, `correct: ${correct}`);
  const worst = LOSS_MAX * examples;
  const loss = Number.isFinite(lossSum) ? Math.min(worst, Math.max(0, lossSum)) : worst;
  const counts = [Math.round(loss), correct, examples];
  const seconds = Math.min(NUMBER_MAX, Math.max(0, Math.round(metrics.seconds || 0)));
  const own = Array.from({ length: named }, (_, i) => stepsOf(metrics.named?.[i] ?? 0, examples));
  return splitNumbers([...counts, ...(timed ? [seconds] : []), ...own], codec);
}

/**
 * The metrics of `count` peers together from the ring's sums. They are the contributors' word: a
 * lying peer can claim any counts within its own share of the range.
 * @throws ProtocolError 'sum-out-of-range' where no `count` values can add up to the sum
 */
export function decodeMetrics(
  sums: Uint32Array,
  count: number,
  codec: UpdateCodec,
  form: MetricsForm = {},
): MetricSums {
  assert(sums.length === metricWords(codec, form), `${sums.length} metric words`);
  checkSums(sums, count, codec);
  const [lossSum, correct, examples, ...others] = joinNumbers(sums, count, codec);
  const seconds = form.timed ? others.shift()! : 0;
  const measured = { lossSum: lossSum!, correct: correct!, examples: examples!, seconds };
  return form.named ? { ...measured, named: others } : measured;
}

/** What is no number, where a model has diverged, counts as the least. */
const stepsOf = (sum: number, examples: number): number =>
  Math.round(NAMED_STEPS * Math.min(examples, Math.max(0, sum || 0)));

/** A named metric of a round, between its bounds; null where nothing was measured. */
export const namedMean = (
  steps: number,
  examples: number,
  { low, high }: { readonly low: number; readonly high: number },
): number | null =>
  examples === 0 ? null : low + ((high - low) * steps) / (NAMED_STEPS * examples);
