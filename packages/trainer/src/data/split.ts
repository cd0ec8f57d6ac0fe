import { assert } from '@starling/core';

export interface SplitOptions {
  /** What decides which examples validate. */
  readonly seed: number;
  /** Part of the examples that validates; a tenth unless told. */
  readonly validation?: number;
}

/** The split of every data set: a peer's validation examples never change. */
export const SPLIT_SEED = 0x5711;
const ROUNDS = 6;

/**
 * Which examples validate and never train: a function of their number and the seed alone, whatever
 * the order in which they are read. At least one validates and one trains. Nothing is kept for each
 * example: place and rank are joined by a Feistel network over the numbers below the next power of
 * four, walked until it comes out below `count` (Black and Rogaway 2002).
 */
export class Split {
  readonly count: number;
  /** Number of examples that validate. */
  readonly validating: number;
  readonly #half: number;
  readonly #keys: readonly number[];

  constructor(count: number, { seed, validation = 0.1 }: SplitOptions) {
    assert(count >= 2, `${count} examples cannot be split`);
    this.count = count;
    this.validating = Math.min(count - 1, Math.max(1, Math.floor(count * validation)));
    this.#half = 2 ** Math.ceil(Math.log2(count) / 2);
    this.#keys = Array.from({ length: ROUNDS }, (_, i) => mix((seed + i * 0x9e3779b9) | 0));
  }

  /** Number of examples that train. */
  get training(): number {
    return this.count - this.validating;
  }

  validates(index: number): boolean {
    let rank = index;
    do rank = this.#permuted(rank);
    while (rank >= this.count);
    return rank < this.validating;
  }

  /** Of the examples `from` … `from + count − 1`, counted from 0 at `from`. */
  indices(part: 'training' | 'validation', from = 0, count = this.count): Int32Array {
    const wanted = part === 'validation';
    const found = new Int32Array(count);
    let length = 0;
    for (let i = 0; i < count; i++) {
      if (this.validates(from + i) === wanted) found[length++] = i;
    }
    return found.slice(0, length);
  }

  /** A permutation of the numbers below `half²`. */
  #permuted(value: number): number {
    const half = this.#half;
    let left = Math.floor(value / half);
    let right = value % half;
    for (const key of this.#keys) {
      const next = (left + (mix(right ^ key) >>> 0)) % half;
      left = right;
      right = next;
    }
    return left * half + right;
  }
}

/** The finaliser of murmur3. */
function mix(value: number): number {
  let z = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}
