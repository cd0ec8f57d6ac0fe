import { type PeerId, u32be } from '@starling/core';
import { publicKeyOf, sha256 } from '@starling/crypto';
import { type Envelope, HAVE_BYTES_MAX } from '@starling/protocol-rounds';

/** Bits for each envelope, and hashes: one in 1,700 that is lacking passes for held. */
const BITS_EACH = 16;
const HASHES = 8;

/** What a peer says of what it holds: a Bloom filter, and the salt of its hashes. */
export interface Have {
  readonly salt: number;
  readonly have: Uint8Array;
}

/** A peer's salt for one pull: what a filter hid once, the next one shows. */
export const saltOf = (peer: PeerId, turn: number): number =>
  new DataView(sha256(publicKeyOf(peer), u32be(turn)).buffer).getUint32(0);

/** The filter of these envelopes. Spec protocols/rounds/spec.md §6. */
export function haveOf(held: readonly Envelope[], salt: number): Have {
  const have = new Uint8Array(Math.min(HAVE_BYTES_MAX, Math.ceil((held.length * BITS_EACH) / 8)));
  const size = have.length * 8;
  for (const { words } of held) {
    const stride = strideOf(words, salt) % size;
    let bit = startOf(words, salt) % size;
    for (let i = 0; i < HASHES; i++) {
      have[bit >> 3]! |= 1 << (bit & 7);
      bit = next(bit, stride, size);
    }
  }
  return { salt, have };
}

/** Those of these envelopes that a peer with this filter lacks. */
export function missingFrom(held: readonly Envelope[], { salt, have }: Have): readonly Envelope[] {
  return have.length === 0 ? held : held.filter(({ words }) => !isHeld(words, salt, have));
}

type Words = Envelope['words'];

/** Double hashing over the first 8 bytes of the envelope's own hash, mixed with the salt. */
function isHeld(words: Words, salt: number, have: Uint8Array): boolean {
  const size = have.length * 8;
  const stride = strideOf(words, salt) % size;
  let bit = startOf(words, salt) % size;
  for (let i = 0; i < HASHES; i++) {
    if ((have[bit >> 3]! & (1 << (bit & 7))) === 0) return false;
    bit = next(bit, stride, size);
  }
  return true;
}

/** (bit + stride) modulo the size, both below it; a division for each took a third of the time. */
function next(bit: number, stride: number, size: number): number {
  const sum = bit + stride;
  return sum < size ? sum : sum - size;
}

const startOf = (words: Words, salt: number): number => mixed(words[0] ^ salt);
const strideOf = (words: Words, salt: number): number => (mixed(words[1] ^ salt) | 1) >>> 0;

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
function mixed(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
