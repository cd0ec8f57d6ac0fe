import './polyfill.ts';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { PrivateKey, PeerId as RemoteId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { assert, ConfigError, type PeerId } from '@starling/core';
import { parsePeerId } from '@starling/crypto';

/** libp2p does not keep the key in its datastore: without this every start is a new peer. */
export async function privateKeyOf(seed: Uint8Array): Promise<PrivateKey> {
  if (seed.length !== 32) throw new ConfigError('seed', `${seed.length} bytes, want 32`);
  return generateKeyPairFromSeed('Ed25519', seed);
}

/** Undefined for peers with another kind of key, which are no peers of ours. */
export function peerOf(remote: RemoteId): PeerId | undefined {
  return parsePeerId(remote.toString());
}

/** libp2p's form of our name. */
export function remoteOf(peer: PeerId): RemoteId {
  assert(parsePeerId(peer) !== undefined, `not a peer id: ${peer.slice(0, 80)}`);
  return peerIdFromString(peer);
}

/** The relay in the address of a relayed connection; undefined for a direct one. */
export function relayIn(address: string): PeerId | undefined {
  const [, relay] = /\/p2p\/([^/]+)\/p2p-circuit/.exec(address) ?? [];
  return relay === undefined ? undefined : parsePeerId(relay);
}
