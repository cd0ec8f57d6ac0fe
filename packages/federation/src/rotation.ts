import { assert, utf8 } from '@starling/core';
import { deriveSecret, type KeystreamReader, keystreamFrom } from '@starling/crypto';

/**
 * Standard deviations of a rotated coordinate that the grid has room for. A Gaussian is beyond with
 * a probability of 6·10^−5; decision 0026 has the bound for every update, and what it costs.
 */
const DEVIATIONS = 4;
/** Floats that stay in the first cache while all short distances are gone through. */
const BLOCK = 4_096;
/** Coordinates whose signs are drawn at a time. */
const PIECE = 32 * 1_024;

/**
 * Turns `values` in place into coordinates that are alike: the randomised Hadamard transform
 * (Suresh et al. 2017, §3; Ailon & Chazelle 2009), orthogonal, for any length d. With n the
 * greatest power of two that is not above d, signs and transform are applied to the first n
 * coordinates, then with fresh signs to the last n: nothing is padded, and each coordinate ends
 * with a variance of at most ‖x‖² / n over the signs, whatever x is. Lengths of a power of two take
 * one such pass.
 * @param seed 32 public bytes, the same for every peer of the round
 */
export function rotate(values: Float32Array, seed: Uint8Array): void {
  for (const { part, signs } of passes(values, seed)) {
    applySigns(part, signs);
    transform(part);
  }
}

/**
 * The inverse of `rotate`, in place. + − × on float32 in the order that the specification has:
 * every engine gets the same bits.
 */
export function unrotate(values: Float32Array, seed: Uint8Array): void {
  for (const { part, signs } of passes(values, seed).reverse()) {
    transform(part);
    applySigns(part, signs);
  }
}

/**
 * What rotated coordinates are clamped to: four standard deviations of an update of length `norm`;
 * `norm` itself where there are so few coordinates that this is less.
 */
export const rotatedRange = (norm: number, length: number): number =>
  norm * Math.min(1, DEVIATIONS / Math.sqrt(powerBelow(length)));

/** The greatest power of two that is not above `length`; 1 for nothing at all. */
const powerBelow = (length: number): number => 2 ** (31 - Math.clz32(Math.max(1, length)));

/** 1 / √n: a power of two, or one times √½. */
function scaleOf(n: number): number {
  const power = 31 - Math.clz32(n);
  return power % 2 === 0 ? 2 ** (-power / 2) : 2 ** ((1 - power) / 2) * Math.SQRT1_2;
}

interface Pass {
  readonly part: Float32Array;
  readonly signs: KeystreamReader;
}

/** The first n coordinates, then the last n where these are others. */
function passes(values: Float32Array, seed: Uint8Array): Pass[] {
  if (values.length === 0) return [];
  const n = powerBelow(values.length);
  const secret = deriveSecret(seed, utf8('rotation'));
  const starts = values.length === n ? [0] : [0, values.length - n];
  return starts.map((start, i) => ({
    part: values.subarray(start, start + n),
    signs: keystreamFrom(secret, i * Math.ceil(n / 8)),
  }));
}

/** Scales, too. One bit a coordinate, the lowest of a byte first; 1 is minus. */
function applySigns(values: Float32Array, signs: KeystreamReader): void {
  const scale = scaleOf(values.length);
  for (let from = 0; from < values.length; from += PIECE) {
    const piece = values.subarray(from, from + PIECE);
    const bits = signs.next(Math.ceil(piece.length / 8));
    for (let i = 0; i < piece.length; i++) {
      const isMinus = ((bits[i >> 3]! >> (i & 7)) & 1) === 1;
      piece[i] = (isMinus ? -scale : scale) * piece[i]!;
    }
  }
}

/**
 * The Walsh-Hadamard transform without its scale: for h = 1, 2, 4 … the pairs (a, b) at distance h
 * become (a + b, a − b), each rounded to float32. Blocks and steps of two distances at a time
 * change where numbers lie in the caches and no bit of them.
 */
function transform(values: Float32Array): void {
  const n = values.length;
  assert((n & (n - 1)) === 0, `a Hadamard transform of ${n} coordinates`);
  const block = Math.min(BLOCK, n);
  for (let at = 0; at < n; at += block) distances(values, at, at + block, 1, block);
  distances(values, 0, n, block, n);
}

/** Distances h from `first`, below `end`, within values[from, to). */
function distances(
  values: Float32Array,
  from: number,
  to: number,
  first: number,
  end: number,
): void {
  let h = first;
  for (; 2 * h < end; h *= 4) twoDistances(values, from, to, h);
  if (h >= end) return;
  for (let start = from; start < to; start += 2 * h) {
    for (let i = start; i < start + h; i++) {
      const [a, b] = [values[i]!, values[i + h]!];
      values[i] = a + b;
      values[i + h] = a - b;
    }
  }
}

/** Distances h and 2h. */
function twoDistances(values: Float32Array, from: number, to: number, h: number): void {
  const round = Math.fround;
  for (let start = from; start < to; start += 4 * h) {
    for (let i = start; i < start + h; i++) {
      const a = values[i]!;
      const b = values[i + h]!;
      const c = values[i + 2 * h]!;
      const d = values[i + 3 * h]!;
      const sum = round(a + b);
      const difference = round(a - b);
      const otherSum = round(c + d);
      const otherDifference = round(c - d);
      values[i] = sum + otherSum;
      values[i + h] = difference + otherDifference;
      values[i + 2 * h] = sum - otherSum;
      values[i + 3 * h] = difference - otherDifference;
    }
  }
}
