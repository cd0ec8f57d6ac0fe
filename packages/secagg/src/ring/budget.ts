import { assert } from '@starling/core';

/** Least and greatest width of a ring word. */
export const RING_BITS_MIN = 8;
export const RING_BITS_MAX = 32;

export function assertRingBits(bits: number): void {
  const legal = Number.isInteger(bits) && bits >= RING_BITS_MIN && bits <= RING_BITS_MAX;
  assert(legal, `ring bits: ${bits}`);
}

/** Whether the sum of `peers` words of `bits` bits fits 32 bits: bits + ⌈log2 peers⌉ ≤ 32. */
export function fitsRingBudget(bits: number, peers: number): boolean {
  return bits + ceilLog2(peers) <= 32;
}

/**
 * Bits of the exact integer sum of `peers` words of `bits` bits each. Chunk owners publish that sum
 * unreduced, and the linear tags are checked on it, so it must not wrap.
 * @throws InvariantError when the sum could wrap at 2^32; the manifest was checked before
 */
export function ringBudget(bits: number, peers: number): number {
  assertRingBits(bits);
  assert(fitsRingBudget(bits, peers), `the sum of ${peers} words of ${bits} bits may wrap`);
  return bits + ceilLog2(peers);
}

/** Least k with 2^k ≥ count, for 1 ≤ count ≤ 2^31. */
export function ceilLog2(count: number): number {
  assert(Number.isInteger(count) && count >= 1 && count <= 2 ** 31, `count: ${count}`);
  return 32 - Math.clz32(count - 1);
}
