import { assert, LIMITS } from '@starling/core';
import { assertRingBits } from './budget.ts';

/**
 * Packed bytes of a chunk that is not the last: one frame on a stream, and one unit of ownership.
 */
export const CHUNK_BYTES = 256 * 1024;

/** How a vector of ring words is cut into chunks. Every peer of a cell computes the same. */
export interface ChunkLayout {
  /** Chunks, at least 1. */
  readonly count: number;
  /** First word of chunk `index`. */
  offsetOf(index: number): number;
  /** Words of chunk `index`. */
  wordsOf(index: number): number;
  /** Packed bytes of chunk `index`. */
  bytesOf(index: number): number;
}

export interface ChunkOptions {
  /** Packed bytes of a chunk at most; default 256 KiB. */
  readonly chunkBytes?: number;
}

/**
 * Cuts `length` words of `bits` bits. A chunk holds a multiple of 8 words, so that it starts on a
 * byte when packed and on half an AES block at least when masked; only the last may be shorter.
 */
export function chunkLayout(
  length: number,
  bits: number,
  { chunkBytes = CHUNK_BYTES }: ChunkOptions = {},
): ChunkLayout {
  assertRingBits(bits);
  assert(Number.isInteger(length) && length >= 1, `vector length: ${length}`);
  // 8 words of b bits are b bytes.
  const words = 8 * Math.floor(chunkBytes / bits);
  assert(words >= 8, `chunk of ${chunkBytes} bytes`);
  const count = Math.ceil(length / words);
  assert(count <= LIMITS.chunksMax, `${count} chunks, at most ${LIMITS.chunksMax}`);
  const offsetOf = (index: number): number => {
    assert(Number.isInteger(index) && index >= 0 && index < count, `chunk ${index} of ${count}`);
    return index * words;
  };
  const wordsOf = (index: number): number => Math.min(words, length - offsetOf(index));
  return { count, offsetOf, wordsOf, bytesOf: (index) => Math.ceil((wordsOf(index) * bits) / 8) };
}
