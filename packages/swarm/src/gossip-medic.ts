import type { Clock, PeerId } from '@starling/core';
import { peerOf, remoteOf } from './identity.ts';
import type { Node } from './libp2p-node.ts';

export interface MedicOptions {
  /** How long a stream may be missing before the connection is given up. */
  readonly patienceMs: number;
  readonly hangUp: (peer: PeerId) => void;
}

interface Patient {
  readonly since: number;
  treatedAt: number;
}

/** Opening a stream takes milliseconds; a second without is no accident of timing. */
const RETRY_MS = 1_000;

/**
 * Heals connections over which gossip has died. gossipsub opens its stream when a peer connects and
 * never again while any connection to that peer lives (js-libp2p#3531), though two things take the
 * stream away: the peer hangs until the buffer for it is full, or two peers dial each other at once
 * and the connection that carried the stream is the one that is closed. Both look healthy.
 */
export class GossipMedic {
  readonly #node: Node;
  readonly #clock: Clock;
  readonly #options: MedicOptions;
  readonly #patients = new Map<PeerId, Patient>();

  constructor(node: Node, clock: Clock, options: MedicOptions) {
    this.#node = node;
    this.#clock = clock;
    this.#options = options;
  }

  /** Looks at every connected peer once; call it a few times a second. */
  visit(connected: readonly PeerId[]): void {
    const now = this.#clock.now();
    const healthy = this.#withStream();
    const ill = new Set(connected.filter((peer) => !healthy.has(peer)));
    for (const peer of this.#patients.keys()) {
      if (!ill.has(peer)) this.#patients.delete(peer);
    }
    for (const peer of ill) {
      const patient = this.#patients.get(peer);
      if (patient === undefined) this.#patients.set(peer, { since: now, treatedAt: now });
      else if (now - patient.since >= this.#options.patienceMs) {
        this.#patients.delete(peer);
        this.#options.hangUp(peer);
      } else if (now - patient.treatedAt >= RETRY_MS) {
        patient.treatedAt = now;
        this.#identifyAgain(peer);
      }
    }
  }

  /** To gossipsub a peer that identifies itself is a peer that connects: it opens a stream. */
  #identifyAgain(peer: PeerId): void {
    for (const connection of this.#node.getConnections(remoteOf(peer))) {
      if (connection.status !== 'open') continue;
      const signal = AbortSignal.timeout(this.#options.patienceMs);
      // A failure needs no word: the stream stays missing, and patience ends.
      this.#node.services.identify.identify(connection, { signal }).catch(() => {});
    }
  }

  /** Peers to which a gossip stream of ours is open. */
  #withStream(): ReadonlySet<PeerId> {
    const protocols = new Set(this.#node.services.pubsub.protocols);
    const found = new Set<PeerId>();
    for (const { remotePeer, streams } of this.#node.getConnections()) {
      const open = streams.some(
        ({ protocol, direction, status }) =>
          direction === 'outbound' && status === 'open' && protocols.has(protocol),
      );
      const peer = open ? peerOf(remotePeer) : undefined;
      if (peer !== undefined) found.add(peer);
    }
    return found;
  }
}
