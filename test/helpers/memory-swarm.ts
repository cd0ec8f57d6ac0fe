import { type Parcel, type PeerId, ProtocolError, type Transport, toHex } from '@starling/core';

type Answer = (parcel: Parcel, from: PeerId) => Promise<Parcel>;
type Hear = (message: Uint8Array, from: PeerId) => void;
type OnChange = (peer: PeerId, connected: boolean) => void;

interface Seat {
  readonly handlers: Map<string, Answer>;
  readonly topics: Map<string, Set<Hear>>;
  readonly changes: Set<OnChange>;
  readonly peers: Set<PeerId>;
}

/** Peers in one process who gossip, ask each other and share a DHT; no time passes. */
export class MemorySwarm {
  readonly #seats = new Map<PeerId, Seat>();
  readonly #providers = new Map<string, Set<PeerId>>();
  /** Gossip that is lost, by who would have heard it. */
  readonly deaf = new Set<PeerId>();
  /** Told of each request before it is answered; what it throws is the answer. */
  onRequest: (from: PeerId, to: PeerId, protocol: string) => Promise<void> | void = () => {};

  transport(self: PeerId): Transport {
    const seat: Seat = {
      handlers: new Map(),
      topics: new Map(),
      changes: new Set(),
      peers: new Set(),
    };
    this.#seats.set(self, seat);
    return {
      self,
      peers: () => [...seat.peers],
      onPeerChange: (listen) => {
        seat.changes.add(listen);
        return () => void seat.changes.delete(listen);
      },
      publish: async (topic, message) => this.gossip(self, topic, message),
      subscribe: (topic, handle) => {
        const hearers = seat.topics.get(topic) ?? new Set();
        seat.topics.set(topic, hearers.add(handle));
        return () => void hearers.delete(handle);
      },
      request: (to, protocol, parcel) => this.#request(self, to, protocol, parcel),
      handle: (protocol, answer) => void seat.handlers.set(protocol, answer),
      provide: async (key) => {
        const name = toHex(key);
        this.#providers.set(name, (this.#providers.get(name) ?? new Set()).add(self));
      },
      findProviders: async (key) => [...(this.#providers.get(toHex(key)) ?? [])],
    };
  }

  /** Connects two peers and tells both. */
  connect(a: PeerId, b: PeerId): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const seat = this.#seats.get(one)!;
      if (seat.peers.has(other)) continue;
      seat.peers.add(other);
      for (const listen of seat.changes) listen(other, true);
    }
  }

  /** Everybody with everybody. */
  connectAll(): void {
    const all = [...this.#seats.keys()];
    for (const [i, a] of all.entries()) for (const b of all.slice(i + 1)) this.connect(a, b);
  }

  /** To all that are connected with `from`, as if it had published. */
  gossip(from: PeerId, topic: string, message: Uint8Array): void {
    for (const peer of this.#seats.get(from)!.peers) {
      if (this.deaf.has(peer)) continue;
      for (const hear of this.#seats.get(peer)!.topics.get(topic) ?? []) hear(message, from);
    }
  }

  async #request(from: PeerId, to: PeerId, protocol: string, parcel: Parcel): Promise<Parcel> {
    await this.onRequest(from, to, protocol);
    const answer = this.#seats.get(to)?.handlers.get(protocol);
    if (answer === undefined) throw new ProtocolError('unreachable', `${to} is not here`);
    try {
      return await answer(parcel, from);
    } catch (error) {
      if (error instanceof ProtocolError) throw new ProtocolError('refused', error.message);
      throw error;
    }
  }
}
