import { assert } from '@starling/core';
import { logErfc, normalCdf } from './normal.ts';

/** Rényi differential privacy (Mironov 2017): the divergence at each order α > 1. */
export type RdpCurve = (order: number) => number;

/**
 * Orders at which a curve is looked at. Whole ones alone report up to 2.4 % more ε over a thousand
 * rounds.
 */
export const RDP_ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  ...[128, 256, 512, 1024],
];

/** Orders at which a Poisson sample's curve is a short sum. */
export const WHOLE_ORDERS: readonly number[] = [
  ...Array.from({ length: 62 }, (_, i) => 2 + i),
  ...[128, 256, 512, 1024],
];

/** The Gaussian mechanism: α / (2z²). */
export const gaussianRdp =
  (multiplier: number): RdpCurve =>
  (order) =>
    order / (2 * multiplier * multiplier);

export const composed =
  (curve: RdpCurve, times: number): RdpCurve =>
  (order) =>
    times * curve(order);

/**
 * The Gaussian mechanism on a Poisson sample of rate `rate` (Mironov, Talwar & Zhang 2019, §3.3).
 * It counts only where nobody learns who was drawn: examples within one peer's training, and never
 * peers, whose part in a round is public.
 */
export const sampledGaussianRdp =
  (multiplier: number, rate: number): RdpCurve =>
  (order) => {
    assert(rate > 0 && rate <= 1, `sampling rate: ${rate}`);
    if (rate === 1) return gaussianRdp(multiplier)(order);
    if (!Number.isFinite(order)) return Number.POSITIVE_INFINITY;
    const moment = Number.isInteger(order) ? wholeMoment : brokenMoment;
    return moment(multiplier, rate, order) / (order - 1);
  };

export interface DistributedGaussian {
  /** L2 sensitivity, L1 sensitivity and standard deviation of one peer's noise, all on the ring. */
  readonly l2: number;
  readonly l1: number;
  readonly sigma: number;
  /** Peers whose noise counts. */
  readonly peers: number;
  readonly dimension: number;
}

/**
 * How far the sum of `peers` discrete Gaussians is from one: τ of Kairouz, Liu & Steinke 2021,
 * theorem 1. From σ = 3 on it is below 1e-36.
 */
export function sumDistance(sigma: number, peers: number): number {
  let sum = 0;
  for (let k = 1; k < peers; k++) {
    sum += Math.exp((-2 * Math.PI * Math.PI * sigma * sigma * k) / (k + 1));
  }
  return 10 * sum;
}

/** The distributed discrete Gaussian (the same, proposition 14). */
export function distributedGaussianRdp(mechanism: DistributedGaussian): RdpCurve {
  const { sigma, peers, dimension } = mechanism;
  const tau = sumDistance(sigma, peers);
  const deviation = Math.sqrt(peers) * sigma;
  const [l2, l1] = [mechanism.l2 / deviation, mechanism.l1 / deviation];
  return (order) => {
    const half = order / 2;
    return Math.min(
      half * l2 * l2 + tau * dimension,
      half * (l2 * l2 + 2 * l1 * tau + tau * tau * dimension),
      half * (l2 + Math.sqrt(dimension) * tau) ** 2,
    );
  };
}

/** The same as one number: ρ of its third bound, which holds at every order. */
export function distributedGaussianRho({ l2, sigma, peers, dimension }: DistributedGaussian) {
  const scaled = l2 / (Math.sqrt(peers) * sigma);
  return (scaled + Math.sqrt(dimension) * sumDistance(sigma, peers)) ** 2 / 2;
}

/** Least ε at `delta` over `orders` (Canonne, Kamath & Steinke 2020, proposition 12). */
export function epsilonOfRdp(
  curve: RdpCurve,
  delta: number,
  orders: readonly number[] = RDP_ORDERS,
): number {
  assert(delta > 0 && delta < 1, `delta: ${delta}`);
  const candidates = orders.map((order) => {
    return curve(order) + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1);
  });
  return Math.max(0, Math.min(...candidates));
}

/** Least δ at `epsilon` over `orders`. */
export function deltaOfRdp(
  curve: RdpCurve,
  epsilon: number,
  orders: readonly number[] = RDP_ORDERS,
): number {
  const candidates = orders.map((order) => {
    const exponent = (order - 1) * (curve(order) - epsilon + Math.log1p(-1 / order));
    return Math.exp(exponent) / order;
  });
  return Math.min(1, ...candidates);
}

/** The exact δ of the Gaussian mechanism at `epsilon` (Balle & Wang 2018, theorem 8). */
export function gaussianDelta(multiplier: number, epsilon: number): number {
  const [half, shift] = [1 / (2 * multiplier), epsilon * multiplier];
  return normalCdf(half - shift) - Math.exp(epsilon) * normalCdf(-half - shift);
}

/**
 * Least noise multiplier whose ε is at most `epsilon`, to six digits.
 * @param epsilonAt ε of a multiplier; falls as the multiplier grows
 */
export function noiseFor(epsilon: number, epsilonAt: (multiplier: number) => number): number {
  assert(epsilon > 0, `epsilon: ${epsilon}`);
  let high = 1;
  while (epsilonAt(high) > epsilon && high < MULTIPLIER_MAX) high *= 2;
  let low = 0;
  while (high - low > high * 1e-7) {
    const multiplier = (low + high) / 2;
    if (epsilonAt(multiplier) > epsilon) low = multiplier;
    else high = multiplier;
  }
  return high;
}
const MULTIPLIER_MAX = 2 ** 40;

/** ln E[(p/q)^α] for whole orders: a binomial sum. */
function wholeMoment(multiplier: number, rate: number, order: number): number {
  let total = Number.NEGATIVE_INFINITY;
  let logBinomial = 0;
  for (let i = 0; i <= order; i++) {
    const weight = logBinomial + i * Math.log(rate) + (order - i) * Math.log1p(-rate);
    total = logAdd(total, weight + (i * i - i) / (2 * multiplier * multiplier));
    logBinomial += Math.log((order - i) / (i + 1));
  }
  return total;
}

/**
 * The same for others: two series, which alternate from some term on. All terms are added by
 * magnitude, as dp_accounting does: an upper bound, by 3 % at order 1.5 and nothing from 3 on.
 */
function brokenMoment(multiplier: number, rate: number, order: number): number {
  const variance = multiplier * multiplier;
  const middle = variance * Math.log(1 / rate - 1) + 0.5;
  const [drawn, left] = [Math.log(rate), Math.log1p(-rate)];
  const logHalfErfc = (x: number) => Math.log(0.5) + logErfc(x / (Math.SQRT2 * multiplier));
  let total = Number.NEGATIVE_INFINITY;
  let logBinomial = 0;
  let before = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY] as const;
  for (let i = 0; ; i++) {
    const rest = order - i;
    const below = i * drawn + rest * left + (i * i - i) / (2 * variance) + logHalfErfc(i - middle);
    const above =
      rest * drawn + i * left + (rest * rest - rest) / (2 * variance) + logHalfErfc(middle - rest);
    const terms = [logBinomial + below, logBinomial + above] as const;
    total = terms.reduce(logAdd, total);
    const falling = terms[0] < before[0] && terms[1] < before[1];
    if (falling && Math.max(...terms) < total - NOTHING) return total;
    before = terms;
    logBinomial += Math.log(Math.abs(rest / (i + 1)));
  }
}
/** Terms so much smaller than the sum, in natural logarithms, no longer count. */
const NOTHING = 30;

function logAdd(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(low - high));
}
