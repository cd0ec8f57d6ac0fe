import {
  type Parcel,
  type PeerId,
  ProtocolError,
  type RequestOptions,
  type Transport,
  toHex,
} from '@starling/core';
import { sha256 } from '@starling/crypto';
import type { FaultKind, FaultMix } from './faults.ts';
import type { Prng } from './prng.ts';
import type { VirtualTime } from './virtual-time.ts';

type GossipHandler = (message: Uint8Array, from: PeerId) => void;
type RequestHandler = (parcel: Parcel, from: PeerId) => Promise<Parcel>;

/**
 * One run of a peer's process: a restart makes a new one, and the old one hears nothing any more.
 */
class Endpoint {
  readonly peer: PeerId;
  alive = true;
  readonly topics = new Map<string, Set<GossipHandler>>();
  readonly handlers = new Map<string, RequestHandler>();
  readonly listeners = new Set<(peer: PeerId, connected: boolean) => void>();
  readonly connected = new Set<PeerId>();
  /** Virtual time → gossip that arrives then. */
  readonly bursts = new Map<number, Arrival[]>();
  bytesOut = 0;
  constructor(peer: PeerId) {
    this.peer = peer;
  }
}

/** What a peer's process is given, and beside it what only a liar would use. */
export interface SimTransport extends Transport {
  /** Gossip that reaches only some, as from a peer that tells its neighbours different things. */
  publishTo(peers: ReadonlySet<PeerId>, topic: string, message: Uint8Array): Promise<void>;
}

interface Arrival {
  readonly from: PeerId;
  readonly topic: string;
  readonly message: Uint8Array;
}

export interface NetworkParts {
  /** Gossip arrives in bursts this far apart, in milliseconds: many messages, one wake-up. */
  readonly burstMs: number;
  /** Connections of a peer, about; everybody is connected to everybody when absent. */
  readonly degree?: number | undefined;
  readonly time: VirtualTime;
  readonly prng: Prng;
  readonly faults: FaultMix;
  /** Called for every fault, for the report, with whom it befell; nobody where it was all. */
  readonly onFault: (kind: FaultKind, peer?: PeerId) => void;
  /** Called for everything that is delivered, for the trace. */
  readonly onDelivery: (line: string) => void;
}

/**
 * A network of virtual peers: gossip that may be lost, doubled and late, requests that break when a
 * peer dies or a partition falls between, and connection changes that are noticed after a while.
 */
export class SimNetwork {
  readonly #parts: NetworkParts;
  readonly #endpoints = new Map<PeerId, Endpoint>();
  /** Whom a peer is connected to, beside those who are to it. */
  readonly #links = new Map<PeerId, ReadonlySet<PeerId> | undefined>();
  /** Of messages for the trace: the same bytes go to everybody. */
  readonly #hashes = new WeakMap<Uint8Array, string>();
  /** Side of each peer while the network is split. */
  #sides: ReadonlyMap<PeerId, number> | undefined;

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /** Brings a peer up, connected to everybody it can reach. */
  join(peer: PeerId): SimTransport {
    const endpoint = new Endpoint(peer);
    this.#endpoints.set(peer, endpoint);
    this.#links.set(peer, this.#linksOf(peer));
    for (const other of this.#endpoints.values()) this.#refresh(endpoint, other, 0);
    return this.#transport(endpoint);
  }

  /** Kills a peer's process: nothing leaves it or reaches it from now on. */
  kill(peer: PeerId): void {
    const endpoint = this.#endpoints.get(peer);
    if (endpoint === undefined) return;
    endpoint.alive = false;
    this.#endpoints.delete(peer);
    const { detectMs } = this.#parts.faults;
    for (const other of this.#endpoints.values()) {
      if (!this.#isLinked(other.peer, peer)) continue;
      this.#parts.time.after(detectMs, () => this.#setConnected(other, peer));
    }
  }

  isAlive(peer: PeerId): boolean {
    return this.#endpoints.has(peer);
  }

  bytesOut(peer: PeerId): number {
    return this.#endpoints.get(peer)?.bytesOut ?? 0;
  }

  /** Splits the network; peers notice after a while. `undefined` heals it. */
  split(sides: ReadonlyMap<PeerId, number> | undefined): void {
    this.#sides = sides;
    if (sides !== undefined) this.#parts.onFault('partition');
    const all = [...this.#endpoints.values()];
    for (const a of all) for (const b of all) this.#refresh(a, b, this.#parts.faults.detectMs);
  }

  /** Those of the peers before it that a peer connects to; the same ones when it comes back. */
  #linksOf(peer: PeerId): ReadonlySet<PeerId> | undefined {
    const { degree, prng } = this.#parts;
    const known = this.#links.get(peer);
    if (degree === undefined || known !== undefined) return known;
    const others = [...this.#links.keys()];
    const links = new Set<PeerId>();
    while (links.size < Math.min(degree / 2, others.length)) links.add(prng.pick(others));
    return links;
  }

  #isLinked(a: PeerId, b: PeerId): boolean {
    if (this.#parts.degree === undefined) return true;
    return this.#links.get(a)?.has(b) === true || this.#links.get(b)?.has(a) === true;
  }

  #canReach(a: PeerId, b: PeerId): boolean {
    if (!this.#endpoints.has(a) || !this.#endpoints.has(b)) return false;
    return this.#sides === undefined || this.#sides.get(a) === this.#sides.get(b);
  }

  #refresh(a: Endpoint, b: Endpoint, delay: number): void {
    if (a === b || !this.#isLinked(a.peer, b.peer)) return;
    this.#parts.time.after(delay, () => {
      this.#setConnected(a, b.peer);
      this.#setConnected(b, a.peer);
    });
  }

  /** Brings one side's view of a connection up to date. */
  #setConnected(endpoint: Endpoint, peer: PeerId): void {
    if (!endpoint.alive) return;
    const connected = this.#canReach(endpoint.peer, peer);
    if (endpoint.connected.has(peer) === connected) return;
    if (connected) endpoint.connected.add(peer);
    else endpoint.connected.delete(peer);
    for (const listener of endpoint.listeners) listener(peer, connected);
  }

  #delay(): number {
    const { delayMinMs, delayMaxMs } = this.#parts.faults;
    return delayMinMs + this.#parts.prng.below(Math.max(1, delayMaxMs - delayMinMs));
  }

  #publish(
    from: Endpoint,
    topic: string,
    message: Uint8Array,
    isFor: (peer: PeerId) => boolean = () => true,
  ): void {
    const { prng, faults, onFault } = this.#parts;
    // A gossip mesh makes a peer send a message to a handful of others, whatever the swarm's size.
    from.bytesOut += message.length * Math.min(6, this.#endpoints.size - 1);
    for (const to of [...this.#endpoints.values()]) {
      if (to === from || !isFor(to.peer) || !this.#canReach(from.peer, to.peer)) continue;
      if (prng.chance(faults.loss)) {
        onFault('loss', to.peer);
        continue;
      }
      this.#deliver(from.peer, to, topic, message);
      if (prng.chance(faults.duplication)) {
        onFault('duplication', to.peer);
        this.#deliver(from.peer, to, topic, message);
      }
    }
  }

  /** What comes to one peer within a burst is delivered at its end, in order of sending. */
  #deliver(from: PeerId, to: Endpoint, topic: string, message: Uint8Array): void {
    const { time, burstMs } = this.#parts;
    const at = burstMs * Math.ceil((time.now + this.#delay()) / burstMs);
    const burst = to.bursts.get(at);
    if (burst !== undefined) {
      burst.push({ from, topic, message });
      return;
    }
    to.bursts.set(at, [{ from, topic, message }]);
    time.after(at - time.now, () => this.#deliverBurst(to, at));
  }

  #deliverBurst(to: Endpoint, at: number): void {
    const burst = to.bursts.get(at) ?? [];
    to.bursts.delete(at);
    if (!to.alive) return;
    for (const { from, topic, message } of burst) {
      this.#trace('gossip', from, to.peer, message);
      for (const handle of to.topics.get(topic) ?? []) swallow(() => handle(message, from));
    }
  }

  #request(
    from: Endpoint,
    peer: PeerId,
    protocol: string,
    parcel: Parcel,
    { timeoutMs }: RequestOptions,
  ): Promise<Parcel> {
    const { time, onFault } = this.#parts;
    from.bytesOut += parcel.header.length + parcel.body.length;
    return new Promise((resolve, reject) => {
      const fail = (code: string) => {
        if (from.alive) reject(new ProtocolError(code, `${protocol} to ${peer}`));
      };
      const cancel = time.after(timeoutMs, () => fail('timeout'));
      const cut = () => {
        cancel();
        onFault('cut-request', from.peer);
        fail('connection-lost');
      };
      time.after(this.#delay(), () => {
        const to = this.#endpoints.get(peer);
        const handle = to?.handlers.get(protocol);
        if (to === undefined || handle === undefined || !this.#canReach(from.peer, peer))
          return cut();
        this.#trace(protocol, from.peer, peer, parcel.header);
        handle(parcel, from.peer).then(
          (answer) => {
            if (!to.alive) return;
            to.bytesOut += answer.header.length + answer.body.length;
            time.after(this.#delay(), () => {
              if (!this.#canReach(from.peer, peer)) return cut();
              cancel();
              if (from.alive) resolve(answer);
            });
          },
          () => {
            time.after(this.#delay(), () => {
              cancel();
              fail('refused');
            });
          },
        );
      });
    });
  }

  #trace(kind: string, from: PeerId, to: PeerId, bytes: Uint8Array): void {
    const { time, onDelivery } = this.#parts;
    let hash = this.#hashes.get(bytes);
    if (hash === undefined) {
      hash = toHex(sha256(bytes).subarray(0, 8));
      this.#hashes.set(bytes, hash);
    }
    onDelivery(`${time.now} ${kind} ${from.slice(-8)} ${to.slice(-8)} ${hash}`);
  }

  #transport(endpoint: Endpoint): SimTransport {
    const never = new Promise<never>(() => {});
    return {
      self: endpoint.peer,
      peers: () => [...endpoint.connected],
      onPeerChange: (listen) => {
        endpoint.listeners.add(listen);
        return () => endpoint.listeners.delete(listen);
      },
      publish: async (topic, message) => {
        if (endpoint.alive) this.#publish(endpoint, topic, message);
      },
      publishTo: async (peers, topic, message) => {
        if (endpoint.alive) this.#publish(endpoint, topic, message, (peer) => peers.has(peer));
      },
      subscribe: (topic, handle) => {
        const handlers = endpoint.topics.get(topic) ?? new Set();
        endpoint.topics.set(topic, handlers.add(handle));
        return () => handlers.delete(handle);
      },
      request: (to, protocol, parcel, options) =>
        endpoint.alive ? this.#request(endpoint, to, protocol, parcel, options) : never,
      handle: (protocol, answer) => void endpoint.handlers.set(protocol, answer),
      provide: async () => {},
      findProviders: async () => [],
    };
  }
}

/**
 * A handler that throws on a hostile message must not end the run: the real transport catches too.
 */
function swallow(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}
