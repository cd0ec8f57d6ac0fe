import { assert, ProtocolError } from '@starling/core';
import { assertRingBits } from './budget.ts';
import { wordsOfBytes } from './words.ts';

/** Bytes of `count` words of `bits` bits. */
export const packedBytes = (count: number, bits: number): number => Math.ceil((count * bits) / 8);

/** 32 words of b bits are b whole 32-bit words; what is left goes byte by byte. */
const GROUP = 32;

/**
 * Packs words below 2^bits without gaps: word j takes bits [j·b, (j+1)·b) of the bytes read as one
 * little-endian number. Unused bits of the last byte are zero.
 * @throws InvariantError when a word has more than `bits` bits
 */
export function packWords(words: Uint32Array, bits: number): Uint8Array {
  const bytes = new Uint8Array(packedBytes(words.length, bits));
  packInto(bytes, words, bits);
  return bytes;
}

/**
 * `packWords` into memory that is there.
 * @param bytes as many as the words take, from a multiple of 4 in their buffer on
 */
export function packInto(bytes: Uint8Array, words: Uint32Array, bits: number): void {
  assertRingBits(bits);
  assert(bytes.length === packedBytes(words.length, bits), `${bytes.length} bytes to pack into`);
  assert(bytes.byteOffset % 4 === 0, `packing to address ${bytes.byteOffset}`);
  const grouped = words.length - (words.length % GROUP);
  const split = packedBytes(grouped, bits);
  const seen = packGroups(wordsOfBytes(bytes.subarray(0, split)), words.subarray(0, grouped), bits);
  const seenLater = packRest(bytes.subarray(split), words.subarray(grouped), bits);
  assert(bits === 32 || (seen | seenLater) >>> bits === 0, `a word exceeds ${bits} bits`);
}

/** Gives the bits that any word has. */
function packGroups(out: Uint32Array, words: Uint32Array, bits: number): number {
  let seen = 0;
  // Bits not yet written, and how many; fewer than 32.
  let [low, held, at] = [0, 0, 0];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    seen |= word;
    low |= word << held;
    held += bits;
    if (held < 32) continue;
    out[at++] = low;
    held -= 32;
    low = held === 0 ? 0 : word >>> (bits - held);
  }
  return seen;
}

function packRest(out: Uint8Array, words: Uint32Array, bits: number): number {
  let seen = 0;
  out.fill(0);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    seen |= word;
    for (let bit = 0; bit < bits; bit++) {
      const place = i * bits + bit;
      out[place >>> 3]! |= ((word >>> bit) & 1) << (place & 7);
    }
  }
  return seen;
}

/**
 * The `count` words in `bytes`; the inverse of `packWords`.
 * @throws ProtocolError 'packing' on a wrong length or padding bits that are not zero
 */
export function unpackWords(bytes: Uint8Array, bits: number, count: number): Uint32Array {
  const words = new Uint32Array(count);
  unpackInto(words, bytes, bits);
  return words;
}

/** `unpackWords` into memory that is there: fills `words`. */
export function unpackInto(words: Uint32Array, bytes: Uint8Array, bits: number): void {
  assertRingBits(bits);
  const expected = packedBytes(words.length, bits);
  if (bytes.length !== expected) {
    throw new ProtocolError('packing', `${bytes.length} bytes, expected ${expected}`);
  }
  const used = (words.length * bits) % 8;
  if (used !== 0 && bytes[bytes.length - 1]! >>> used !== 0) {
    throw new ProtocolError('packing', 'padding bits are not zero');
  }
  const grouped = words.length - (words.length % GROUP);
  const split = packedBytes(grouped, bits);
  unpackGroups(words.subarray(0, grouped), wordsOfBytes(bytes.subarray(0, split)), bits);
  unpackRest(words.subarray(grouped), bytes.subarray(split), bits);
}

function unpackGroups(words: Uint32Array, packed: Uint32Array, bits: number): void {
  const mask = 2 ** bits - 1;
  // Bits read and not yet used, and how many.
  let [low, held, at] = [0, 0, 0];
  for (let i = 0; i < words.length; i++) {
    if (held >= bits) {
      words[i] = low & mask;
      low >>>= bits;
      held -= bits;
      continue;
    }
    const next = packed[at++]!;
    words[i] = (low | (next << held)) & mask;
    const taken = bits - held;
    low = taken === 32 ? 0 : next >>> taken;
    held = 32 - taken;
  }
}

function unpackRest(words: Uint32Array, bytes: Uint8Array, bits: number): void {
  for (let i = 0; i < words.length; i++) {
    let word = 0;
    for (let bit = 0; bit < bits; bit++) {
      const place = i * bits + bit;
      word |= ((bytes[place >>> 3]! >>> (place & 7)) & 1) << bit;
    }
    words[i] = word;
  }
}
