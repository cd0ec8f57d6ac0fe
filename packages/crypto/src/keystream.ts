import { createCipheriv } from 'node:crypto';
import { assert } from '@starling/core';
import { plain } from './hash.ts';
import type { Secret } from './secret.ts';

const BLOCK_BYTES = 16;
/** Pieces of this size stay in the cache and below the allocator's slow path. */
const PIECE_BYTES = 128 * 1024;
const ZEROS = new Uint8Array(PIECE_BYTES);

/** A position in a keystream that moves on with every read. */
export interface KeystreamReader {
  /** The next `length` bytes, in memory of their own. */
  next(length: number): Uint8Array;
}

/**
 * AES-256-CTR over zeros with a zero IV: one seed, one stream, and nothing else under that key.
 * Block k is encrypted under the counter k (128 bits, big-endian), so any offset can be reached.
 * @param seed 32 bytes
 * @param byteOffset any offset below 2^53
 */
export function keystreamFrom(seed: Secret, byteOffset: number): KeystreamReader {
  assert(Number.isSafeInteger(byteOffset) && byteOffset >= 0, `keystream offset: ${byteOffset}`);
  const counter = new Uint8Array(BLOCK_BYTES);
  const block = BigInt(Math.floor(byteOffset / BLOCK_BYTES));
  new DataView(counter.buffer).setBigUint64(8, block);
  const cipher = createCipheriv('aes-256-ctr', seed.reveal(), counter);
  cipher.update(ZEROS.subarray(0, byteOffset % BLOCK_BYTES));
  return {
    next: (length) => {
      if (length <= PIECE_BYTES) return plain(cipher.update(ZEROS.subarray(0, length)));
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += PIECE_BYTES) {
        out.set(cipher.update(ZEROS.subarray(0, Math.min(PIECE_BYTES, length - at))), at);
      }
      return out;
    },
  };
}

/** Bytes [byteOffset, byteOffset + length) of the stream of `seed`. */
export function keystream(seed: Secret, byteOffset: number, length: number): Uint8Array {
  return keystreamFrom(seed, byteOffset).next(length);
}
