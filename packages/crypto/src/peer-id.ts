import { assert, concatBytes, equalBytes, type PeerId } from '@starling/core';
import { base58btc } from 'multiformats/bases/base58';
import { KEY_BYTES } from './key-object.ts';

/**
 * Identity multihash (0x00), 36 bytes, then the protobuf of an Ed25519 public key.
 * libp2p specs, peer-ids.
 */
const PREFIX = new Uint8Array([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
/** Every identity of this kind has the same length, so longer text is never decoded. */
const TEXT_LENGTH = 52;

/** @throws InvariantError when `publicKey` is not 32 bytes */
export function peerIdOf(publicKey: Uint8Array): PeerId {
  assert(publicKey.length === KEY_BYTES, `public key: ${publicKey.length} bytes`);
  return base58btc.baseEncode(concatBytes(PREFIX, publicKey)) as PeerId;
}

/** `text` as a peer's name if it is one of an Ed25519 key in its only spelling. */
export function parsePeerId(text: string): PeerId | undefined {
  return rawKeyOf(text) === undefined ? undefined : (text as PeerId);
}

/** The 32 bytes of the Ed25519 key that `peerId` names. @throws InvariantError on a forged brand */
export function publicKeyOf(peerId: PeerId): Uint8Array {
  const raw = rawKeyOf(peerId);
  assert(raw !== undefined, `not a peer id: ${peerId.slice(0, 80)}`);
  return raw;
}

/** The key inside `text`, or undefined; never throws. */
export function rawKeyOf(text: string): Uint8Array | undefined {
  if (text.length !== TEXT_LENGTH) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = base58btc.baseDecode(text);
  } catch {
    return undefined;
  }
  const raw = bytes.subarray(PREFIX.length);
  const named = equalBytes(bytes.subarray(0, PREFIX.length), PREFIX);
  return named && raw.length === KEY_BYTES && peerIdOf(raw) === text ? raw : undefined;
}
