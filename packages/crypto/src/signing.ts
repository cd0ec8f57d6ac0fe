import { type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { type PeerId, utf8 } from '@starling/core';
import { hashHex, plain } from './hash.ts';
import { privateKey, publicKey, rawPublicKey } from './key-object.ts';
import { isLowOrder } from './low-order.ts';
import { peerIdOf, rawKeyOf } from './peer-id.ts';

/** An Ed25519 key pair (RFC 8032). */
export interface SigningKey {
  /** 32 bytes */
  readonly publicKey: Uint8Array;
  readonly peerId: PeerId;
  /** 64 bytes, the same for the same message */
  sign(message: Uint8Array): Uint8Array;
}

/** @param seed 32 secret bytes */
export function signingKeyFromSeed(seed: Uint8Array): SigningKey {
  const key = privateKey('ed25519', seed);
  const raw = rawPublicKey(key);
  return {
    publicKey: raw,
    peerId: peerIdOf(raw),
    sign: (message) => plain(signBytes(null, message, key)),
  };
}

const SIGNATURE_BYTES = 64;
/** Several rosters of the largest cell; an import costs as much as a verification. */
const CACHED_KEYS_MAX = 1024;
/** Least recently used first. */
const cachedKeys = new Map<string, KeyObject>();

function keyOf(peerId: string): KeyObject | undefined {
  const cached = cachedKeys.get(peerId);
  const raw = cached === undefined ? rawKeyOf(peerId) : undefined;
  if (cached === undefined && (raw === undefined || isLowOrder(raw))) return undefined;
  const key = cached ?? publicKey('ed25519', raw!);
  cachedKeys.delete(peerId);
  cachedKeys.set(peerId, key);
  if (cachedKeys.size > CACHED_KEYS_MAX) cachedKeys.delete(cachedKeys.keys().next().value!);
  return key;
}

/** Signatures that held, by digest; the same one is met in gossip, in pulls and in certificates. */
const REMEMBERED_MAX = 65_536;
const remembered = new Set<string>();
const counts = { performed: 0, remembered: 0 };

/** How many verifications this process did, and how many it only remembered. */
export const verifications = (): { readonly performed: number; readonly remembered: number } => ({
  ...counts,
});

/**
 * Whether `signature` is `peerId`'s over `message`. False, never an exception, on any bad input,
 * and under a key of low order, for which anybody can sign.
 * One that held before is remembered: the answer is the same and costs a hash.
 */
export function verify(peerId: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const digest = hashHex(utf8(peerId), signature, message);
  if (remembered.has(digest)) {
    counts.remembered += 1;
    return true;
  }
  counts.performed += 1;
  if (!verifyOnce(peerId, message, signature)) return false;
  remembered.add(digest);
  if (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.values().next().value!);
  return true;
}

function verifyOnce(peerId: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = keyOf(peerId);
    return key !== undefined && verifyBytes(null, message, key, signature);
  } catch {
    return false;
  }
}
