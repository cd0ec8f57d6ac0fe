import { assert } from '@starling/core';
import { keystreamFrom, type Secret } from '@starling/crypto';
import { type Sign, TILE_WORDS, type TileKernel, tileKernel } from './kernels.ts';

/** One mask: the keystream of `seed`, added or subtracted. */
export interface MaskTerm {
  /** 32 bytes; for this one vector, since a keystream used twice cancels itself. */
  readonly seed: Secret;
  readonly sign: Sign;
}

/**
 * Adds every term's mask to `target`, modulo 2^32. Word j of a mask is bytes 4j…4j+3,
 * little-endian, of AES-256-CTR under its seed; `target[0]` takes word `wordOffset`. Reducing the
 * result modulo 2^b later leaves uniform masks of b bits.
 */
export function addMasks(
  target: Uint32Array,
  terms: readonly MaskTerm[],
  wordOffset: number,
): void {
  addMasksWith(tileKernel, target, terms, wordOffset);
}

/** `addMasks` for a single term. */
export function addMask(target: Uint32Array, seed: Secret, wordOffset: number, sign: Sign): void {
  addMasksWith(tileKernel, target, [{ seed, sign }], wordOffset);
}

/** `addMasks` on a chosen kernel, for tests and benchmarks. */
export function addMasksWith(
  kernel: TileKernel,
  target: Uint32Array,
  terms: readonly MaskTerm[],
  wordOffset: number,
): void {
  maskerWith(kernel, terms, wordOffset)(target);
}

/**
 * `addMasks` piece by piece: every call of the result adds the next `target.length` words of all
 * masks, from word `wordOffset` on. Cheaper than `addMasks` for each piece, which starts anew.
 */
export function masker(
  terms: readonly MaskTerm[],
  wordOffset: number,
): (target: Uint32Array) => void {
  return maskerWith(tileKernel, terms, wordOffset);
}

function maskerWith(
  kernel: TileKernel,
  terms: readonly MaskTerm[],
  wordOffset: number,
): (target: Uint32Array) => void {
  assert(Number.isInteger(wordOffset) && wordOffset >= 0, `word offset: ${wordOffset}`);
  // Masks of one sign together: the kernel takes several of them at once.
  const ordered = [...terms].sort((a, b) => b.sign - a.sign);
  const streams = ordered.map(({ seed, sign }) => {
    return { stream: keystreamFrom(seed, 4 * wordOffset), sign };
  });
  return (target) => {
    // Tile outermost: it stays in the cache while all peers' masks pass over it.
    for (let at = 0; at < target.length; at += TILE_WORDS) {
      const tile = target.subarray(at, at + TILE_WORDS);
      kernel.load(tile);
      for (const { stream, sign } of streams) kernel.apply(stream.next(4 * tile.length), sign);
      kernel.store(tile);
    }
  };
}
