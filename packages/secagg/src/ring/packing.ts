import { assert, ProtocolError } from '@starling/core';
import { assertRingBits } from './budget.ts';
import { bytesOfWords, wordsOfBytes } from './words.ts';

/** Bytes of `count` words of `bits` bits. */
export const packedBytes = (count: number, bits: number): number => Math.ceil((count * bits) / 8);

/**
 * Packs words below 2^bits without gaps: word j takes bits [j·b, (j+1)·b) of the bytes read as one
 * little-endian number. Unused bits of the last byte are zero.
 * @throws InvariantError when a word has more than `bits` bits
 */
export function packWords(words: Uint32Array, bits: number): Uint8Array {
  assertRingBits(bits);
  let seen = 0;
  for (let i = 0; i < words.length; i++) seen |= words[i]!;
  assert(bits === 32 || seen >>> bits === 0, `a word exceeds ${bits} bits`);
  switch (bits) {
    case 16:
      return new Uint8Array(Uint16Array.from(words).buffer);
    case 24:
      return pack24(words);
    case 32:
      return bytesOfWords(words).slice();
    default:
      return packAny(words, bits);
  }
}

function pack24(words: Uint32Array): Uint8Array {
  const quads = Math.floor(words.length / 4);
  // Room for whole words at the end; the surplus is cut off below.
  const out = new Uint32Array(Math.ceil((words.length * 3) / 4));
  for (let i = 0, at = 0, end = 4 * quads; i < end; i += 4, at += 3) {
    const [b, c] = [words[i + 1]!, words[i + 2]!];
    out[at] = words[i]! | (b << 24);
    out[at + 1] = (b >>> 8) | (c << 16);
    out[at + 2] = (c >>> 16) | (words[i + 3]! << 8);
  }
  const bytes = bytesOfWords(out).subarray(0, 3 * words.length);
  bytes.set(packAny(words.subarray(4 * quads), 24), 12 * quads);
  return bytes;
}

function packAny(words: Uint32Array, bits: number): Uint8Array {
  const out = new Uint8Array(packedBytes(words.length, bits));
  let at = 0;
  // Bits not yet written: `low` holds the first 32 of them, `high` what a wide word adds above.
  let low = 0;
  let held = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    low |= word << held;
    let high = held === 0 ? 0 : word >>> (32 - held);
    held += bits;
    while (held >= 8) {
      out[at++] = low;
      low = (low >>> 8) | (high << 24);
      high >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) out[at] = low;
  return out;
}

/**
 * The `count` words in `bytes`; the inverse of `packWords`.
 * @throws ProtocolError 'packing' on a wrong length or padding bits that are not zero
 */
export function unpackWords(bytes: Uint8Array, bits: number, count: number): Uint32Array {
  assertRingBits(bits);
  const expected = packedBytes(count, bits);
  if (bytes.length !== expected) {
    throw new ProtocolError('packing', `${bytes.length} bytes, expected ${expected}`);
  }
  const used = (count * bits) % 8;
  if (used !== 0 && bytes[bytes.length - 1]! >>> used !== 0) {
    throw new ProtocolError('packing', 'padding bits are not zero');
  }
  switch (bits) {
    case 16: {
      const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
      return Uint32Array.from(new Uint16Array(aligned.buffer, aligned.byteOffset, count));
    }
    case 24:
      return unpack24(bytes, count);
    case 32:
      return wordsOfBytes(bytes).slice();
    default:
      return unpackAny(bytes, bits, count);
  }
}

function unpack24(bytes: Uint8Array, count: number): Uint32Array {
  const quads = Math.floor(count / 4);
  const words = wordsOfBytes(bytes.subarray(0, 12 * quads));
  const out = new Uint32Array(count);
  for (let i = 0, at = 0, end = 4 * quads; i < end; i += 4, at += 3) {
    const [x, y, z] = [words[at]!, words[at + 1]!, words[at + 2]!];
    out[i] = x & 0xffffff;
    out[i + 1] = (x >>> 24) | ((y & 0xffff) << 8);
    out[i + 2] = (y >>> 16) | ((z & 0xff) << 16);
    out[i + 3] = z >>> 8;
  }
  out.set(unpackAny(bytes.subarray(12 * quads), 24, count - 4 * quads), 4 * quads);
  return out;
}

function unpackAny(bytes: Uint8Array, bits: number, count: number): Uint32Array {
  const out = new Uint32Array(count);
  const mask = 2 ** bits - 1;
  for (let i = 0, bit = 0; i < count; i++, bit += bits) {
    const at = Math.floor(bit / 8);
    const shift = bit % 8;
    const low =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const high = shift === 0 ? 0 : bytes[at + 4]! << (32 - shift);
    out[i] = ((low >>> shift) | high) & mask;
  }
  return out;
}
