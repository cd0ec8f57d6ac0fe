import { multiaddr } from '@multiformats/multiaddr';
import { type Clock, errorMessage, type Log, millis, type PeerId } from '@starling/core';
import { type KnownPeers, newTarget, type Target } from './known-peers.ts';

export interface KeeperParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly known: KnownPeers;
  readonly connected: () => readonly PeerId[];
  /** Dials a peer or an address; resolves once the peer is one of ours. */
  readonly dial: (target: PeerId | { readonly address: string }) => Promise<PeerId>;
  /** Looks round in the DHT; who is found comes back through `KnownPeers.learn`. */
  readonly walk: () => Promise<unknown>;
  /** Looks after connections over which gossip has died. */
  readonly heal: () => void;
}

export interface BootstrapStatus {
  readonly address: string;
  readonly connected: boolean;
  readonly attempts: number;
  /** Why the last attempt failed; absent after a success. */
  readonly lastError?: string;
}

const TICK_MS = 250;
/** At once, of known peers; bootstrap addresses and the DHT's own dials come on top. */
const DIALS_MAX = 3;
const WALK_FIRST_MS = 500;
const WALK_MAX_MS = 60_000;

interface Bootstrap extends Target {
  readonly address: string;
  /** Known from the address, or since the first connection. */
  peer: PeerId | undefined;
}

/**
 * Keeps a node connected. libp2p itself dials a bootstrap address once and, for other peers, gives
 * up after half a minute; this never does. Bootstrap addresses are tried for ever, also by a node
 * with neighbours enough: it may be on one side of a swarm that fell in two.
 */
export class Keeper {
  readonly #parts: KeeperParts;
  readonly #bootstrap: readonly Bootstrap[];
  #cancelTick: () => void = () => {};
  #stopped = false;
  #walking = false;
  #walkAt = 0;
  #walkWaitMs = WALK_FIRST_MS;

  constructor(parts: KeeperParts, bootstrap: readonly string[]) {
    this.#parts = parts;
    this.#bootstrap = bootstrap.map((address) => ({
      ...newTarget(0),
      address,
      peer: peerInAddress(address),
    }));
  }

  start(): void {
    this.#tick();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick();
  }

  /** Someone new: there may be more behind it. */
  lookAround(): void {
    this.#walkWaitMs = WALK_FIRST_MS;
    this.#walkAt = Math.min(this.#walkAt, this.#parts.clock.now() + WALK_FIRST_MS);
  }

  bootstrapStatus(): readonly BootstrapStatus[] {
    const connected = new Set(this.#parts.connected());
    return this.#bootstrap.map(({ address, peer, attempts, lastError }) => ({
      address,
      connected: peer !== undefined && connected.has(peer),
      attempts,
      ...(lastError === undefined ? {} : { lastError }),
    }));
  }

  #tick(): void {
    if (this.#stopped) return;
    const now = this.#parts.clock.now();
    const connected = new Set(this.#parts.connected());
    this.#dialBootstrap(connected, now);
    this.#dialKnown(connected, now);
    if (connected.size > 0 && now >= this.#walkAt && !this.#walking) void this.#walk();
    this.#parts.heal();
    this.#cancelTick = this.#parts.clock.setTimer(millis(TICK_MS), () => this.#tick());
  }

  #dialBootstrap(connected: ReadonlySet<PeerId>, now: number): void {
    for (const entry of this.#bootstrap) {
      const here = entry.peer !== undefined && connected.has(entry.peer);
      if (here) this.#parts.known.succeeded(entry);
      if (here || entry.dialling || entry.dueAt > now) continue;
      void this.#dial(entry, { address: entry.address }).then((peer) => {
        entry.peer = peer ?? entry.peer;
      });
    }
  }

  #dialKnown(connected: ReadonlySet<PeerId>, now: number): void {
    const { known } = this.#parts;
    const missing = known.wanted(connected) - connected.size;
    const room = Math.min(missing, DIALS_MAX) - known.dialling();
    const due = known.due(connected, now, room);
    for (const [peer, target] of due) void this.#dial(target, peer);
  }

  /** Never rejects: a failure is a reason in the status and a later attempt. */
  async #dial(
    target: Target,
    whom: PeerId | { readonly address: string },
  ): Promise<PeerId | undefined> {
    const { known, clock } = this.#parts;
    target.dialling = true;
    target.attempts++;
    try {
      const peer = await this.#parts.dial(whom);
      known.succeeded(target);
      return peer;
    } catch (error) {
      if (!this.#stopped) known.failed(target, errorMessage(error), clock.now());
      return undefined;
    } finally {
      target.dialling = false;
    }
  }

  async #walk(): Promise<void> {
    this.#walking = true;
    const before = this.#parts.known.size;
    try {
      await this.#parts.walk();
    } catch (error) {
      this.#parts.log.debug('a walk through the DHT failed', { reason: errorMessage(error) });
    }
    const learnt = this.#parts.known.size > before;
    this.#walkWaitMs = learnt ? WALK_FIRST_MS : Math.min(WALK_MAX_MS, 2 * this.#walkWaitMs);
    this.#walkAt = this.#parts.clock.now() + this.#walkWaitMs;
    this.#walking = false;
  }
}

function peerInAddress(address: string): PeerId | undefined {
  const last = multiaddr(address)
    .getComponents()
    .findLast(({ name }) => name === 'p2p');
  return last?.value as PeerId | undefined;
}
