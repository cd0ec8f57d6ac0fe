import { fromHex, type PeerId, u32be } from '@starling/core';
import { publicKeyOf, sha256 } from '@starling/crypto';
import { type Envelope, HAVE_BYTES_MAX } from '@starling/protocol-rounds';
import type { Pooled } from './pool.ts';

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
export function haveOf(envelopes: Iterable<Pooled>, salt: number): Have {
  const held = [...envelopes];
  const have = new Uint8Array(Math.min(HAVE_BYTES_MAX, Math.ceil((held.length * BITS_EACH) / 8)));
  for (const { envelope } of held) {
    for (const bit of bitsOf(envelope, salt, have.length * 8)) have[bit >> 3]! |= 1 << (bit & 7);
  }
  return { salt, have };
}

/** Those of these envelopes that a peer with this filter lacks. */
export function missingFrom(
  envelopes: Iterable<Pooled>,
  { salt, have }: Have,
): readonly Envelope[] {
  return [...envelopes]
    .map(({ envelope }) => envelope)
    .filter((envelope) => !isHeld(envelope, salt, have));
}

function isHeld(envelope: Envelope, salt: number, have: Uint8Array): boolean {
  if (have.length === 0) return false;
  const bits = bitsOf(envelope, salt, have.length * 8);
  return bits.every((bit) => (have[bit >> 3]! & (1 << (bit & 7))) !== 0);
}

const prefixes = new WeakMap<Envelope, readonly [number, number]>();

/** Double hashing over the first 8 bytes of the envelope's own hash, mixed with the salt. */
function bitsOf(envelope: Envelope, salt: number, size: number): readonly number[] {
  let prefix = prefixes.get(envelope);
  if (prefix === undefined) {
    const view = new DataView(fromHex(envelope.hash.slice(0, 16)).buffer);
    prefix = [view.getUint32(0), view.getUint32(4)];
    prefixes.set(envelope, prefix);
  }
  const first = mixed(prefix[0] ^ salt);
  const stride = mixed(prefix[1] ^ salt) | 1;
  return Array.from({ length: HASHES }, (_, i) => (first + i * (stride >>> 0)) % size);
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
function mixed(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
