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

/** base58 costs 20 µs either way and every message names a peer: both directions are remembered. */
const REMEMBERED_MAX = 8_192;
const idOfKey = new Map<string, PeerId>();
const keyOfId = new Map<string, Uint8Array>();

function remember<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value);
  if (map.size > REMEMBERED_MAX) map.delete(map.keys().next().value!);
  return value;
}

/** @throws InvariantError when `publicKey` is not 32 bytes */
export function peerIdOf(publicKey: Uint8Array): PeerId {
  assert(publicKey.length === KEY_BYTES, `public key: ${publicKey.length} bytes`);
  const name = String.fromCharCode(...publicKey);
  const known = idOfKey.get(name);
  if (known !== undefined) return known;
  const id = base58btc.baseEncode(concatBytes(PREFIX, publicKey)) as PeerId;
  return remember(idOfKey, name, id);
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

/** The key inside `text`, or undefined; never throws. Not to be written to. */
export function rawKeyOf(text: string): Uint8Array | undefined {
  const known = keyOfId.get(text);
  if (known !== undefined) return known;
  if (text.length !== TEXT_LENGTH) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = base58btc.baseDecode(text);
  } catch {
    return undefined;
  }
  const raw = bytes.slice(PREFIX.length);
  const named = equalBytes(bytes.subarray(0, PREFIX.length), PREFIX);
  if (!named || raw.length !== KEY_BYTES || peerIdOf(raw) !== text) return undefined;
  return remember(keyOfId, text, raw);
}
