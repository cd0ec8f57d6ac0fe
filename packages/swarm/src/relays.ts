import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2';
import type { Connection, Transport } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { type Clock, errorMessage, type Log, type PeerId } from '@starling/core';
import { peerOf, remoteOf } from './identity.ts';
import type { Inside, Node } from './libp2p-node.ts';

export interface RelayStatus {
  /** Peers through which others reach this one. */
  readonly reservations: readonly PeerId[];
  /** Connected peers that offer to relay. */
  readonly offering: readonly PeerId[];
  /** Why the last reservation was not made; absent after one that was. */
  readonly lastError?: string;
  /** What this peer relays for others; absent when it offers nothing. */
  readonly offer?: {
    readonly reservations: number;
    readonly connections: number;
    readonly maxConnections: number;
  };
}

export interface RelayParts {
  readonly node: Node;
  readonly clock: Clock;
  readonly log: Log;
  /** False once others have shown that they reach this peer without help. */
  readonly isWanted: () => boolean;
  /** The most relayed connections that this peer carries; undefined when it offers none. */
  readonly maxConnections: number | undefined;
}

/** A second one for the time in which the first is away. */
const RESERVATIONS = 2;
const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 60_000;

interface Attempt {
  failures: number;
  dueAt: number;
  running: boolean;
}

/**
 * Keeps this peer reachable through relays: reservations with up to two connected peers that offer.
 * libp2p makes one when it starts to listen, and none after the relay has come back
 * (js-libp2p#3601), so this looks again and again.
 */
export class Relays {
  readonly #parts: RelayParts;
  readonly #attempts = new Map<PeerId, Attempt>();
  readonly #offering = new Set<PeerId>();
  /** Relays for which libp2p has a listener: that one takes up every later reservation. */
  readonly #listened = new Set<PeerId>();
  #lastError: string | undefined;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    const { node } = parts;
    // Not the peer store: to libp2p a peer that asks for a protocol also answers it.
    node.addEventListener('peer:identify', ({ detail }) => {
      const peer = peerOf(detail.peerId);
      if (peer === undefined) return;
      if (detail.protocols.includes(RELAY_V2_HOP_CODEC)) this.#offering.add(peer);
      else this.#offering.delete(peer);
    });
  }

  /** Call it a few times a second. */
  visit(connected: readonly PeerId[]): void {
    const here = new Set(connected);
    for (const peer of this.#offering) if (!here.has(peer)) this.#offering.delete(peer);
    for (const [peer, { running }] of this.#attempts) {
      // One that comes back is asked at once.
      if (!here.has(peer) && !running) this.#attempts.delete(peer);
    }
    if (!this.#parts.isWanted()) return;
    const held = new Set(this.reservations());
    const now = this.#parts.clock.now();
    let room = RESERVATIONS - held.size;
    for (const { running } of this.#attempts.values()) room -= running ? 1 : 0;
    for (const peer of this.#offering) {
      if (room <= 0) return;
      const attempt = this.#attempts.get(peer) ?? { failures: 0, dueAt: now, running: false };
      this.#attempts.set(peer, attempt);
      if (held.has(peer) || attempt.running || attempt.dueAt > now || !this.#isDirect(peer)) {
        continue;
      }
      room--;
      void this.#reserve(peer, attempt);
    }
  }

  /** Relays that have a place for this peer at the moment. */
  reservations(): readonly PeerId[] {
    const store = this.#store();
    return store === undefined ? [] : [...this.#listened].filter((peer) => has(store, peer));
  }

  status(): RelayStatus {
    const { node, maxConnections } = this.#parts;
    const { relay } = node.services;
    return {
      reservations: this.reservations(),
      offering: [...this.#offering],
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(relay === undefined || maxConnections === undefined
        ? {}
        : {
            offer: {
              reservations: relay.reservations.size,
              connections: relayedThrough(node.getConnections()),
              maxConnections,
            },
          }),
    };
  }

  /** Never rejects. */
  async #reserve(peer: PeerId, attempt: Attempt): Promise<void> {
    const { clock, log } = this.#parts;
    attempt.running = true;
    try {
      const store = this.#store();
      if (this.#listened.has(peer) && store !== undefined) {
        await store.addRelay(remoteOf(peer), 'configured');
      } else {
        await this.#inside.transportManager.listen([multiaddr(`/p2p/${peer}/p2p-circuit`)]);
        this.#listened.add(peer);
      }
      attempt.failures = 0;
      this.#lastError = undefined;
      log.info('reachable through a relay', { relay: peer });
    } catch (error) {
      const wait = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt.failures, 20));
      attempt.failures++;
      attempt.dueAt = clock.now() + wait;
      this.#lastError = `${peer}: ${refusalOf(errorMessage(error))}`;
      log.debug('no reservation', { relay: peer, reason: this.#lastError });
      this.#endRefused(peer);
    } finally {
      attempt.running = false;
    }
  }

  /** A relay that refuses leaves its end of the stream open: soon it would take no more. */
  #endRefused(peer: PeerId): void {
    for (const { streams } of this.#parts.node.getConnections(remoteOf(peer))) {
      for (const stream of streams) {
        const isAsking = stream.protocol === RELAY_V2_HOP_CODEC && stream.direction === 'outbound';
        // A relayed connection of ours is one that is open both ways.
        if (isAsking && stream.writeStatus === 'closed') stream.abort(new Error('refused'));
      }
    }
  }

  get #inside(): Inside {
    return this.#parts.node.services.inside;
  }

  #store(): ReservationStore | undefined {
    return this.#inside.transportManager.getTransports().find(isCircuit)?.reservationStore;
  }

  #isDirect(peer: PeerId): boolean {
    return this.#parts.node
      .getConnections(remoteOf(peer))
      .some(({ direct, status }) => direct && status === 'open');
  }
}

/** What of the circuit transport's insides is used: libp2p has no other way to ask again. */
interface ReservationStore {
  addRelay(peer: ReturnType<typeof remoteOf>, type: 'configured'): Promise<unknown>;
  hasReservation(peer: ReturnType<typeof remoteOf>): boolean;
}

function isCircuit(
  transport: Transport,
): transport is Transport & { readonly reservationStore: ReservationStore } {
  return 'reservationStore' in transport;
}

const has = (store: ReservationStore, peer: PeerId): boolean =>
  store.hasReservation(remoteOf(peer));

/** libp2p wraps the reason in advice about listen addresses, several lines of it. */
function refusalOf(message: string): string {
  if (/RESERVATION_REFUSED/.test(message)) return 'it has no place left';
  if (/PERMISSION_DENIED/.test(message)) return 'it does not relay for this peer';
  const lines = message.split('\n');
  return (lines.find((line) => /: \w*Error/.test(line)) ?? lines[0]!).trim().slice(0, 200);
}

/** How many connections of others a relay carries: each has one stream to its far end. */
export const relayedThrough = (connections: readonly Connection[]): number =>
  connections
    .flatMap(({ streams }) => streams)
    .filter(({ protocol, direction, status }) => {
      return protocol === RELAY_V2_STOP_CODEC && direction === 'outbound' && status === 'open';
    }).length;
