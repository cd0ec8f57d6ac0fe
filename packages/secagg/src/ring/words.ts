import { assert } from '@starling/core';
import { assertRingBits } from './budget.ts';

// Ring words travel and are masked as little-endian bytes, and the kernels look at the same memory
// as bytes and as words. Every platform Node's own builds target with x64 or arm64 is little-
// endian.
assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'a big-endian host cannot run secagg');

/** The bytes of `words`, in place. */
export function bytesOfWords(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** `bytes` as little-endian words; in place when they lie on a word boundary, else a copy. */
export function wordsOfBytes(bytes: Uint8Array): Uint32Array {
  assert(bytes.length % 4 === 0, `${bytes.length} bytes are no whole words`);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}

/** target += addend, modulo 2^32, eight words a turn: three times a plain loop in V8. */
export function addWords(target: Uint32Array, addend: Uint32Array): void {
  const whole = target.length - (target.length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = target[i]! + addend[i]!;
    target[i + 1] = target[i + 1]! + addend[i + 1]!;
    target[i + 2] = target[i + 2]! + addend[i + 2]!;
    target[i + 3] = target[i + 3]! + addend[i + 3]!;
    target[i + 4] = target[i + 4]! + addend[i + 4]!;
    target[i + 5] = target[i + 5]! + addend[i + 5]!;
    target[i + 6] = target[i + 6]! + addend[i + 6]!;
    target[i + 7] = target[i + 7]! + addend[i + 7]!;
  }
  for (; i < target.length; i++) target[i] = target[i]! + addend[i]!;
}

/** target −= addend, modulo 2^32. */
export function subtractWords(target: Uint32Array, addend: Uint32Array): void {
  const whole = target.length - (target.length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = target[i]! - addend[i]!;
    target[i + 1] = target[i + 1]! - addend[i + 1]!;
    target[i + 2] = target[i + 2]! - addend[i + 2]!;
    target[i + 3] = target[i + 3]! - addend[i + 3]!;
    target[i + 4] = target[i + 4]! - addend[i + 4]!;
    target[i + 5] = target[i + 5]! - addend[i + 5]!;
    target[i + 6] = target[i + 6]! - addend[i + 6]!;
    target[i + 7] = target[i + 7]! - addend[i + 7]!;
  }
  for (; i < target.length; i++) target[i] = target[i]! - addend[i]!;
}

/**
 * Adds `addend` into `target`, modulo 2^32; with `ringBudget` kept, the exact integer sum.
 * @throws InvariantError on different lengths: both were checked against the chunk layout
 */
export function sumInto(target: Uint32Array, addend: Uint32Array): void {
  assert(target.length === addend.length, `ring length: ${target.length} !== ${addend.length}`);
  addWords(target, addend);
}

/** Reduces every word modulo 2^bits, in place. */
export function maskTo(target: Uint32Array, bits: number): void {
  assertRingBits(bits);
  if (bits === 32) return;
  const mask = 2 ** bits - 1;
  for (let i = 0; i < target.length; i++) target[i] = target[i]! & mask;
}
