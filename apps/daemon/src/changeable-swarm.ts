import type { Parcel, PeerId, RequestOptions } from '@starling/core';
import { ProtocolError } from '@starling/core';
import type { NetworkReport, PeerChange, Swarm, SwarmStatus } from '@starling/swarm';

type Answer = (parcel: Parcel, from: PeerId) => Promise<Parcel>;
type Listener = (message: Uint8Array, from: PeerId) => void;

interface Subscription {
  readonly topic: string;
  readonly handle: Listener;
  leave: () => void;
}

/**
 * A swarm that can be exchanged for another while the node above it runs: what the node has
 * subscribed to and answers goes along. Between the two nobody is reachable.
 */
export class ChangeableSwarm implements Swarm {
  readonly self: PeerId;
  readonly #subscriptions = new Set<Subscription>();
  readonly #handlers = new Map<string, Answer>();
  readonly #listeners = new Set<PeerChange>();
  /** Peers that listeners believe to be connected. */
  readonly #told = new Set<PeerId>();
  #current: Swarm;
  #changing = false;

  constructor(first: Swarm) {
    this.self = first.self;
    this.#current = first;
    this.#current.onPeerChange((peer, connected) => this.#tell(peer, connected));
  }

  /**
   * Stops the present swarm and opens `next`; when that fails, `previous` again.
   * @throws what `next` threw
   */
  async change(next: () => Promise<Swarm>, previous: () => Promise<Swarm>): Promise<void> {
    if (this.#changing) throw new ProtocolError('busy', 'the daemon is changing swarms already');
    this.#changing = true;
    try {
      await this.#current.stop();
      for (const peer of [...this.#told]) this.#tell(peer, false);
      this.#attach(await next());
    } catch (error) {
      this.#attach(await previous());
      throw error;
    } finally {
      this.#changing = false;
    }
  }

  peers(): readonly PeerId[] {
    return this.#changing ? [] : this.#current.peers();
  }

  onPeerChange(listener: PeerChange): () => void {
    const entry: PeerChange = (peer, connected) => listener(peer, connected);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  async publish(topic: string, message: Uint8Array): Promise<void> {
    // Gossip is lossy; what is lost is pulled later.
    if (!this.#changing) await this.#current.publish(topic, message);
  }

  subscribe(topic: string, handle: Listener): () => void {
    const leave = this.#changing ? () => {} : this.#current.subscribe(topic, handle);
    const subscription: Subscription = { topic, handle, leave };
    this.#subscriptions.add(subscription);
    return () => {
      if (this.#subscriptions.delete(subscription)) subscription.leave();
    };
  }

  async request(
    to: PeerId,
    protocol: string,
    parcel: Parcel,
    options: RequestOptions,
  ): Promise<Parcel> {
    this.#demandSwarm();
    return this.#current.request(to, protocol, parcel, options);
  }

  handle(protocol: string, answer: Answer): void {
    this.#handlers.set(protocol, answer);
    if (!this.#changing) this.#current.handle(protocol, answer);
  }

  async provide(key: Uint8Array): Promise<void> {
    this.#demandSwarm();
    await this.#current.provide(key);
  }

  async findProviders(key: Uint8Array, options: RequestOptions): Promise<readonly PeerId[]> {
    this.#demandSwarm();
    return this.#current.findProviders(key, options);
  }

  addresses(): readonly string[] {
    return this.#current.addresses();
  }

  async dial(address: string): Promise<PeerId> {
    this.#demandSwarm();
    return this.#current.dial(address);
  }

  status(): SwarmStatus {
    return this.#current.status();
  }

  async diagnose(): Promise<NetworkReport> {
    this.#demandSwarm();
    return this.#current.diagnose();
  }

  stop(): Promise<void> {
    return this.#current.stop();
  }

  #attach(swarm: Swarm): void {
    this.#current = swarm;
    swarm.onPeerChange((peer, connected) => this.#tell(peer, connected));
    for (const [protocol, answer] of this.#handlers) swarm.handle(protocol, answer);
    for (const subscription of this.#subscriptions) {
      subscription.leave = swarm.subscribe(subscription.topic, subscription.handle);
    }
    for (const peer of swarm.peers()) this.#tell(peer, true);
  }

  #tell(peer: PeerId, connected: boolean): void {
    if (this.#told.has(peer) === connected) return;
    if (connected) this.#told.add(peer);
    else this.#told.delete(peer);
    for (const listener of [...this.#listeners]) listener(peer, connected);
  }

  #demandSwarm(): void {
    if (this.#changing) throw new ProtocolError('unreachable', 'the daemon is changing swarms');
  }
}
