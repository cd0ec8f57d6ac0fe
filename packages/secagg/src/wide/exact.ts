import { assert } from '@starling/core';

/**
 * Exact counting with integers: the parameters of a graph are part of what peers must agree on, and
 * `Math.log` or `Math.exp` may differ in the last place from one engine to the next.
 */

/** Binomial coefficient; 0 outside 0 ≤ k ≤ n. */
export function choose(n: number, k: number): bigint {
  if (k < 0 || k > n) return 0n;
  let result = 1n;
  for (let i = 1; i <= Math.min(k, n - k); i++) {
    result = (result * BigInt(n - i + 1)) / BigInt(i);
  }
  return result;
}

/** `drawn` of `population` members are drawn without putting back; `marked` of them count. */
export interface Draw {
  readonly population: number;
  readonly marked: number;
  readonly drawn: number;
}

/** In how many of the `choose(population, drawn)` draws at least `least` marked ones are. */
export function drawsWithAtLeast({ population, marked, drawn }: Draw, least: number): bigint {
  let draws = 0n;
  for (let hit = Math.max(least, 0); hit <= Math.min(marked, drawn); hit++) {
    draws += choose(marked, hit) * choose(population - marked, drawn - hit);
  }
  return draws;
}

/** The smallest x such that more than x marked ones are drawn with probability ≤ 1 / `odds`. */
export function upperQuantile({ population, marked, drawn }: Draw, odds: bigint): number {
  const unmarked = population - marked;
  const all = choose(population, drawn);
  const most = Math.min(marked, drawn);
  let draws = choose(marked, most) * choose(unmarked, drawn - most);
  let tail = 0n;
  for (let hit = most; hit > 0; hit--) {
    tail += draws;
    if (tail * odds > all) return hit;
    // From `hit` marked ones to one fewer; an exact division, both sides being counts.
    const up = BigInt(hit) * BigInt(unmarked - drawn + hit);
    draws = (draws * up) / (BigInt(marked - hit + 1) * BigInt(drawn - hit + 1));
  }
  return 0;
}

const FRACTION_BITS = 10;
const MANTISSA_BITS = 64n;

/** log2(numerator / denominator), rounded down to a 1024th; −∞ for 0. */
export function log2OfRatio(numerator: bigint, denominator: bigint): number {
  assert(numerator >= 0n && denominator > 0n, 'a ratio of counts');
  if (numerator === 0n) return Number.NEGATIVE_INFINITY;
  const estimate = bitLength(numerator) - bitLength(denominator);
  let exponent = isAtLeastPowerOf2(numerator, denominator, estimate) ? estimate : estimate - 1;
  const shift = MANTISSA_BITS - BigInt(exponent);
  let mantissa =
    shift >= 0n ? (numerator << shift) / denominator : numerator / (denominator << -shift);
  // Squaring doubles the logarithm, so each overflow is its next binary digit.
  for (let place = 1; place <= FRACTION_BITS; place++) {
    mantissa = (mantissa * mantissa) >> MANTISSA_BITS;
    if (mantissa < 2n << MANTISSA_BITS) continue;
    mantissa >>= 1n;
    exponent += 2 ** -place;
  }
  return exponent;
}

const bitLength = (value: bigint): number => value.toString(2).length;

const isAtLeastPowerOf2 = (numerator: bigint, denominator: bigint, power: number): boolean =>
  power >= 0
    ? numerator >= denominator << BigInt(power)
    : numerator << BigInt(-power) >= denominator;

/**
 * How many of `peers` a fraction makes, rounded down. The fraction is a decimal number that a
 * person wrote, so 0.29 of 100 is 29, though the nearest double is a little less.
 */
export function countOf(peers: number, fraction: number): number {
  assert(fraction >= 0 && fraction <= 1, `a fraction of ${fraction}`);
  return Math.floor(peers * fraction + 1e-9);
}
