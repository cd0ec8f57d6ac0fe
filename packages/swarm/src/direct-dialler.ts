import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { type Clock, errorMessage, type Log, type PeerId } from '@starling/core';
import { remoteOf } from './identity.ts';
import type { Node } from './libp2p-node.ts';

export interface DirectParts {
  readonly node: Node;
  readonly clock: Clock;
  readonly log: Log;
}

/** The dialling side of a relayed connection announces itself first. */
const FIRST_WAIT_MS = 1_000;
const WAIT_MAX_MS = 10 * 60_000;
const DIAL_MS = 10_000;
/** What still runs over the relayed connection may come to its end. */
const LINGER_MS = 30_000;

interface Attempt {
  failures: number;
  dueAt: number;
}

/**
 * Turns relayed connections into direct ones. Both ends try the other's own addresses: whichever is
 * reachable is reached, so a peer behind a NAT dials back to one that called through a relay.
 * Two peers that are both behind one stay relayed: Node has no SO_REUSEPORT for TCP, without which
 * there is no hole punching (js-libp2p#2620).
 */
export class DirectDialler {
  readonly #parts: DirectParts;
  readonly #attempts = new Map<PeerId, Attempt>();
  readonly #directSince = new Map<PeerId, number>();
  #dialling = false;

  constructor(parts: DirectParts) {
    this.#parts = parts;
  }

  /** Call it a few times a second. */
  visit(connected: readonly PeerId[]): void {
    const now = this.#parts.clock.now();
    const relayed = new Set<PeerId>();
    for (const peer of connected) {
      const open = this.#open(peer);
      const direct = open.some((connection) => connection.direct);
      if (!direct && open.length > 0) relayed.add(peer);
      if (direct && open.some((connection) => !connection.direct)) this.#endRelayed(peer, now);
      else this.#directSince.delete(peer);
    }
    for (const peer of this.#attempts.keys()) if (!relayed.has(peer)) this.#attempts.delete(peer);
    for (const peer of this.#directSince.keys()) {
      if (!connected.includes(peer)) this.#directSince.delete(peer);
    }
    for (const peer of relayed) this.#try(peer, now);
  }

  #open(peer: PeerId) {
    const connections = this.#parts.node.getConnections(remoteOf(peer));
    return connections.filter(({ status }) => status === 'open');
  }

  /** One at a time: dials into nothing take seconds, and others wait for the places. */
  #try(peer: PeerId, now: number): void {
    const attempt = this.#attempts.get(peer) ?? { failures: 0, dueAt: now + FIRST_WAIT_MS };
    this.#attempts.set(peer, attempt);
    if (this.#dialling || attempt.dueAt > now) return;
    this.#dialling = true;
    this.#dial(peer)
      .catch((error: unknown) => {
        this.#parts.log.debug('stays relayed', { peer, reason: errorMessage(error) });
      })
      .finally(() => {
        this.#dialling = false;
        const wait = Math.min(WAIT_MAX_MS, 4 * FIRST_WAIT_MS * 2 ** Math.min(attempt.failures, 20));
        attempt.failures++;
        attempt.dueAt = this.#parts.clock.now() + wait;
      });
  }

  async #dial(peer: PeerId): Promise<void> {
    const { node, log } = this.#parts;
    const { addresses } = await node.peerStore.get(remoteOf(peer));
    const own = addresses.flatMap(({ multiaddr }) => directAddress(multiaddr, peer) ?? []);
    if (own.length === 0) return;
    const connection = await node.dial(own, { signal: AbortSignal.timeout(DIAL_MS) });
    if (connection.direct) log.info('direct, no more relayed', { peer });
  }

  #endRelayed(peer: PeerId, now: number): void {
    const since = this.#directSince.get(peer) ?? now;
    this.#directSince.set(peer, since);
    if (now - since < LINGER_MS) return;
    for (const connection of this.#open(peer)) {
      if (!connection.direct) connection.close().catch(() => {});
    }
  }
}

function directAddress(address: Multiaddr, peer: PeerId): Multiaddr | undefined {
  const names = address.getComponents().map(({ name }) => name);
  if (names.includes('p2p-circuit')) return undefined;
  return names.includes('p2p') ? address : multiaddr(`${address}/p2p/${peer}`);
}
