import type { Clock, PeerId } from '@starling/core';
import { peerOf } from './identity.ts';
import type { Node } from './libp2p-node.ts';

/**
 * Finds connections over which gossip has died. When a subscriber hangs, its full buffer aborts our
 * gossip stream to it, and gossipsub does not open another while the connection lives, though the
 * mesh still counts the peer (js-libp2p#3531). Closing the connection is the way out: the keeper
 * dials again.
 */
export class GossipMedic {
  readonly #node: Node;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #missingSince = new Map<PeerId, number>();

  /** @param patienceMs how long a stream may be missing; opening it under load takes seconds */
  constructor(node: Node, clock: Clock, patienceMs: number) {
    this.#node = node;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** The connected peers that have had no gossip stream from us for too long. */
  deaf(connected: readonly PeerId[]): readonly PeerId[] {
    const now = this.#clock.now();
    const heard = this.#heard();
    const here = new Set(connected);
    for (const peer of this.#missingSince.keys()) {
      if (!here.has(peer) || heard.has(peer)) this.#missingSince.delete(peer);
    }
    for (const peer of connected) {
      if (!heard.has(peer) && !this.#missingSince.has(peer)) this.#missingSince.set(peer, now);
    }
    return [...this.#missingSince]
      .filter(([, since]) => now - since >= this.#patienceMs)
      .map(([peer]) => peer);
  }

  #heard(): ReadonlySet<PeerId> {
    const protocols = new Set(this.#node.services.pubsub.protocols);
    const heard = new Set<PeerId>();
    for (const { remotePeer, streams } of this.#node.getConnections()) {
      const open = streams.some(
        ({ protocol, direction, status }) =>
          direction === 'outbound' && status === 'open' && protocols.has(protocol),
      );
      const peer = open ? peerOf(remotePeer) : undefined;
      if (peer !== undefined) heard.add(peer);
    }
    return heard;
  }
}
