import { bytes, fromHex, mapped, type PeerId, toHex } from '@starling/core';
import { peerIdOf, publicKeyOf } from './peer-id.ts';

/** A peer as its 32-byte Ed25519 public key. */
export const peerCodec = mapped<Uint8Array, PeerId>(
  bytes(32),
  (key) => peerIdOf(key),
  (peer) => publicKeyOf(peer),
);

/** A SHA-256 as 32 bytes on the wire, 64 hex digits in memory. */
export function hashCodec<H extends string>() {
  return mapped<Uint8Array, H>(
    bytes(32),
    (value) => toHex(value) as H,
    (value) => fromHex(value),
  );
}

/** An Ed25519 signature (RFC 8032): 64 bytes. */
export const signatureCodec = bytes(64);
