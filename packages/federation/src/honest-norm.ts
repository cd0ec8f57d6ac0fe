import type { UpdateCodec } from './codec.ts';

/** An honest cell is taken for a spoilt one with a probability of at most e^−40. */
const DOUBT = 40;

/**
 * How long the mean of a cell's updates can be when all its peers are honest: each update is within
 * the clipping norm, and so is their mean; rounding to the grid and noise come on top. Both are
 * sub-Gaussian in every coordinate, rounding with variance step² / 4 (Hoeffding's lemma), so their
 * length has the bound of Hsu, Kakade and Zhang 2012, theorem 2.1. Nothing in a secure aggregation
 * bounds one peer's words but the grid: a longer mean is proof of a liar in the cell.
 * @param survivors number of peers in the sum
 * @param divisor sum of their weights
 * @param coordinates of the trainable part
 */
export function honestNormMax(
  { clippingNorm, step, sigma }: UpdateCodec,
  survivors: number,
  divisor: number,
  coordinates: number,
): number {
  const deviation = (Math.sqrt(survivors * (0.25 + sigma * sigma)) * step) / divisor;
  const spread = coordinates + 2 * Math.sqrt(DOUBT * coordinates) + 2 * DOUBT;
  return clippingNorm + deviation * Math.sqrt(spread);
}
