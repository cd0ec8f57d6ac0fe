import { assert } from '@starling/core';

/**
 * Zero-concentrated differential privacy (Bun & Steinke 2016). A mechanism of ρ has a Rényi
 * divergence of at most ρα for every order α; the ρ of mechanisms used one after another add up, so
 * a ledger is a sum.
 */

/** ρ of the Gaussian mechanism: Δ² / (2σ²), with `multiplier` = σ/Δ. */
export const gaussianRho = (multiplier: number): number => 1 / (2 * multiplier * multiplier);

/**
 * Least δ that `rho` gives at `epsilon`: the minimum over all orders of Canonne, Kamath & Steinke
 * 2020, proposition 12.
 */
export function deltaOf(rho: number, epsilon: number): number {
  assert(rho >= 0 && epsilon >= 0, `rho ${rho}, epsilon ${epsilon}`);
  if (rho === 0) return 0;
  let low = 1 + 1e-9;
  let high = (epsilon + 1) / (2 * rho) + 2;
  for (let i = 0; i < STEPS; i++) {
    const order = (low + high) / 2;
    const slope = (2 * order - 1) * rho - epsilon + Math.log1p(-1 / order);
    if (slope < 0) low = order;
    else high = order;
  }
  const order = (low + high) / 2;
  const exponent = (order - 1) * (order * rho - epsilon) + order * Math.log1p(-1 / order);
  return Math.min(1, Math.exp(exponent) / (order - 1));
}

/** Least ε that `rho` gives at `delta`. */
export function epsilonOf(rho: number, delta: number): number {
  assert(rho >= 0 && delta > 0 && delta <= 1, `rho ${rho}, delta ${delta}`);
  if (rho === 0) return 0;
  let low = 0;
  let high = rho + 2 * Math.sqrt(rho * Math.log(1 / delta));
  for (let i = 0; i < STEPS; i++) {
    const epsilon = (low + high) / 2;
    if (deltaOf(rho, epsilon) <= delta) high = epsilon;
    else low = epsilon;
  }
  return high;
}

/** Greatest ρ that still gives `epsilon` at `delta`. */
export function rhoOf(epsilon: number, delta: number): number {
  assert(epsilon >= 0 && delta > 0 && delta <= 1, `epsilon ${epsilon}, delta ${delta}`);
  let low = 0;
  let high = epsilon + 1;
  for (let i = 0; i < STEPS; i++) {
    const rho = (low + high) / 2;
    if (deltaOf(rho, epsilon) <= delta) low = rho;
    else high = rho;
  }
  return low;
}

/** Bisections; each halves an interval that a float64 cannot halve more often. */
const STEPS = 100;
