import { assert } from '@starling/core';

export interface Rounding {
  /** L2 norm before, and distance of two grid points. */
  readonly norm: number;
  readonly step: number;
  readonly dimension: number;
}

/**
 * Bound of the L2 norm after stochastic rounding, in units of the norm. A fresh rounding exceeds it
 * with a probability of at most e^−½, so that it is drawn again until it does not (Kairouz, Liu &
 * Steinke 2021, proposition 22 with β = e^−½).
 */
export function roundedNorm({ norm, step, dimension }: Rounding): number {
  assert(norm > 0 && step > 0 && dimension >= 1, `rounding: ${norm}, ${step}, ${dimension}`);
  const root = Math.sqrt(dimension);
  const worst = (norm + step * root) ** 2;
  const usual = norm * norm + (step * step * dimension) / 4 + step * (norm + (step * root) / 2);
  return Math.sqrt(Math.min(worst, usual));
}
