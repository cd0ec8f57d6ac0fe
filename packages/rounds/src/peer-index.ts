import type { PeerId } from '@starling/core';

const indices = new WeakMap<readonly PeerId[], ReadonlyMap<PeerId, number>>();
/** A peer's place in a list of peers that does not change. */
export function indexIn(peers: readonly PeerId[], peer: PeerId): number | undefined {
  let known = indices.get(peers);
  if (known === undefined) {
    known = new Map(peers.map((each, index) => [each, index]));
    indices.set(peers, known);
  }
  return known.get(peer);
}
