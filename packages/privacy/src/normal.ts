/**
 * ln erfc(x), relative error of erfc below 1e-12 for every x: a series near 0, the continued
 * fraction of Laplace beyond (Abramowitz & Stegun 7.1.6 and 7.1.14).
 */
export function logErfc(x: number): number {
  if (x < 0) return Math.log(2 - Math.exp(logErfc(-x)));
  if (x < SERIES_MAX) return Math.log1p(-erfNearZero(x));
  let fraction = x;
  for (let k = FRACTION_TERMS; k > 0; k--) fraction = x + k / 2 / fraction;
  return -x * x - Math.log(fraction) - Math.log(Math.PI) / 2;
}

/** P[N(0, 1) ≤ x]. */
export const normalCdf = (x: number): number => Math.exp(logErfc(-x / Math.SQRT2)) / 2;

const SERIES_MAX = 2;
const FRACTION_TERMS = 160;

function erfNearZero(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
