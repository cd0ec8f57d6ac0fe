import { assert } from '@starling/core';

/** Where randomness comes from: a keystream's next bytes. */
export interface ByteStream {
  next(length: number): Uint8Array;
}

export interface DiscreteGaussian {
  readonly sigma: number;
  /** No draw is greater in magnitude; what lies beyond has a probability below 2^-120. */
  readonly bound: number;
  /** Of one value as the table has it; at most bound · 2^-127 beside the true one. */
  probability(value: number): number;
  /** `count` independent draws: 4 bytes each, and 12 more for about one in 10^4. */
  sample(count: number, stream: ByteStream): Int32Array;
}

/** A table grows with σ, some 13 entries of 16 bytes for each unit. */
export const SIGMA_MAX = 2 ** 14;
const SIGMA_MIN = 0.1;

/**
 * The discrete Gaussian on the integers, P[k] ∝ exp(−k² / 2σ²) (Canonne, Kamath & Steinke 2020),
 * by inversion: thresholds of 127 bits on the magnitude, one bit for the sign. The table is made
 * in whole numbers alone, so that no rounding of floats shapes the tail: n draws are within n ·
 * bound · 2^-127 of true ones in statistical distance. Time depends on what is drawn: not for
 * use where an attacker measures single draws.
 */
export function discreteGaussian(sigma: number): DiscreteGaussian {
  assert(sigma >= SIGMA_MIN && sigma <= SIGMA_MAX, `sigma of a discrete Gaussian: ${sigma}`);
  const { thresholds, bound } = tableOf(sigma);
  const [top, rest] = [new Uint32Array(bound), new BigUint64Array(bound)];
  const last = new Uint32Array(bound);
  for (const [i, threshold] of thresholds.entries()) {
    top[i] = Number(threshold >> 96n);
    rest[i] = BigInt.asUintN(64, threshold >> 32n);
    last[i] = Number(BigInt.asUintN(32, threshold));
  }
  const guide = guideOf(top);
  /** First entry from `from` on whose threshold is above a draw that ties with its first word. */
  const resolve = (word: number, from: number, stream: ByteStream): number => {
    const more = viewOf(stream.next(12));
    const [middle, low] = [more.getBigUint64(0, true), more.getUint32(8, true)];
    let entry = from;
    while (entry < bound && top[entry] === word) {
      if (middle < rest[entry]! || (middle === rest[entry] && low < last[entry]!)) break;
      entry++;
    }
    return entry;
  };
  return {
    sigma,
    bound,
    probability(value) {
      const size = Math.abs(value);
      if (!Number.isInteger(value) || size > bound) return 0;
      const upper = thresholds[size] ?? TOTAL;
      const share = Number(upper - (thresholds[size - 1] ?? 0n)) / Number(TOTAL);
      return size === 0 ? share : share / 2;
    },
    sample(count, stream) {
      const random = viewOf(stream.next(4 * count));
      const draws = new Int32Array(count);
      for (let i = 0; i < count; i++) {
        const drawn = random.getUint32(4 * i, true);
        const word = drawn >>> 1;
        const place = word >>> GUIDE_SHIFT;
        let low = guide[place]!;
        let high = guide[place + 1]!;
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (top[middle]! < word) low = middle + 1;
          else high = middle;
        }
        const size = low < bound && top[low] === word ? resolve(word, low, stream) : low;
        draws[i] = (drawn & 1) === 1 ? -size : size;
      }
      return draws;
    },
  };
}

/** The magnitude's words are of 31, 64 and 32 bits; the guide takes the first 16 of them. */
const TOTAL = 2n ** 127n;
const GUIDE_BITS = 16;
const GUIDE_SHIFT = 31 - GUIDE_BITS;

/** For each beginning of a word, the first entry at or above all words that begin so. */
function guideOf(top: Uint32Array): Uint32Array {
  const guide = new Uint32Array(2 ** GUIDE_BITS + 1);
  let entry = 0;
  for (let place = 0; place < guide.length; place++) {
    while (entry < top.length && top[entry]! < place * 2 ** GUIDE_SHIFT) entry++;
    guide[place] = entry;
  }
  return guide;
}

/** Bits behind the point of the numbers below: far more than the errors of a table eat up. */
const PLACES = 320n;
const ONE = 1n << PLACES;
const times = (a: bigint, b: bigint): bigint => (a * b) >> PLACES;
/** Weights below this share of the greatest are nothing. */
const WEIGHT_MIN = ONE >> 136n;

/** Threshold k of `thresholds` is 2^127 · P[magnitude ≤ k]; that of `bound` would be 2^127. */
function tableOf(sigma: number): {
  readonly thresholds: readonly bigint[];
  readonly bound: number;
} {
  const ratio = expMinusHalfInverseSquare(sigma);
  const square = times(ratio, ratio);
  const weights: bigint[] = [];
  // exp(−(k+1)²/2σ²) = exp(−k²/2σ²) · ratio^(2k+1)
  for (let weight = ONE, factor = ratio; weight > WEIGHT_MIN; factor = times(factor, square)) {
    weights.push(weights.length === 0 ? weight : 2n * weight);
    weight = times(weight, factor);
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  const bound = weights.length - 1;
  let sum = 0n;
  const thresholds = weights.slice(0, bound).map((weight) => {
    sum += weight;
    return (sum * TOTAL) / total;
  });
  return { thresholds, bound };
}

/** exp(−1/2σ²) with `PLACES` bits, from the float64 σ as the exact fraction that it is. */
function expMinusHalfInverseSquare(sigma: number): bigint {
  const numerator = BigInt(sigma * 2 ** 60);
  const exponent = (ONE << 119n) / (numerator * numerator);
  let [sum, term] = [0n, ONE];
  for (let n = 1n; term !== 0n; n++) {
    sum += n % 2n === 1n ? term : -term;
    term = times(term, exponent) / n;
  }
  return sum;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
