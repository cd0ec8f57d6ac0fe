import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { assert, concatBytes, fromHex } from '@starling/core';

/** Length of an Ed25519 or X25519 seed and public key, in bytes. */
export const KEY_BYTES = 32;

/** DER (RFC 8410) up to the 32 raw bytes: node:crypto takes keys only in a container. */
const DER = {
  ed25519: {
    pkcs8: fromHex('302e020100300506032b657004220420'),
    spki: fromHex('302a300506032b6570032100'),
  },
  x25519: {
    pkcs8: fromHex('302e020100300506032b656e04220420'),
    spki: fromHex('302a300506032b656e032100'),
  },
} as const;
export type Curve = keyof typeof DER;

export function privateKey(curve: Curve, seed: Uint8Array): KeyObject {
  assert(seed.length === KEY_BYTES, `${curve} seed: ${seed.length} bytes`);
  const der = Buffer.from(concatBytes(DER[curve].pkcs8, seed));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

/** @throws whatever OpenSSL throws on a key it refuses */
export function publicKey(curve: Curve, raw: Uint8Array): KeyObject {
  assert(raw.length === KEY_BYTES, `${curve} public key: ${raw.length} bytes`);
  const der = Buffer.from(concatBytes(DER[curve].spki, raw));
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

/** The 32 raw bytes of the public half of `key`. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(der.subarray(der.length - KEY_BYTES));
}
