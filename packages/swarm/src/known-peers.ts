import type { PeerId, Random } from '@starling/core';
import type { RedialOptions } from './options.ts';

/** Someone, or some address, that we want to be connected to. */
export interface Target {
  attempts: number;
  /** Failures since the last success. */
  failures: number;
  /** On the local clock; not dialled before. */
  dueAt: number;
  dialling: boolean;
  lastError: string | undefined;
}

export interface UnreachablePeer {
  readonly peer: PeerId;
  /** Since the last success. */
  readonly failures: number;
  readonly lastError: string;
}

/** Time for the lesser of two peers to dial first, a handshake on a busy machine included. */
const GREATER_WAITS_MS = 1_000;
const REPORTED_MAX = 20;
/** More than any swarm that we keep in mind; the least reachable are forgotten first. */
const KNOWN_MAX = 1024;
/** After so many failures in a row a peer does not count as alive, but is still tried. */
const ALIVE_FAILURES_MAX = 3;
/** Up to this many peers everybody holds a connection to everybody. */
const FULL_MESH_MAX = 16;
/** In a larger swarm; a star round the bootstrap peer would lose gossip. */
const CONNECTIONS_MIN = 6;

export interface KnownOptions {
  readonly self: PeerId;
  readonly redial: RedialOptions;
  readonly random: Random;
}

/** Peers that we have heard of, and when to try them next. */
export class KnownPeers {
  readonly #options: KnownOptions;
  readonly #targets = new Map<PeerId, Target>();

  constructor(options: KnownOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#targets.size;
  }

  /** Takes note of a peer; false when it was known. */
  learn(peer: PeerId, now: number): boolean {
    const { self } = this.#options;
    if (peer === self || this.#targets.has(peer)) return false;
    if (this.#targets.size >= KNOWN_MAX) this.#forgetWorst();
    // Two peers that hear of each other at once would dial each other at once: the greater waits.
    const dueAt = self < peer ? now : now + GREATER_WAITS_MS;
    this.#targets.set(peer, newTarget(dueAt));
    return true;
  }

  /** One that is wanted no more. */
  forget(peer: PeerId): void {
    this.#targets.delete(peer);
  }

  get(peer: PeerId): Target | undefined {
    return this.#targets.get(peer);
  }

  /** How many of `connected` and more we want. */
  wanted(connected: ReadonlySet<PeerId>): number {
    const alive = [...this.#targets].filter(
      ([peer, { failures }]) => connected.has(peer) || failures < ALIVE_FAILURES_MAX,
    ).length;
    return alive < FULL_MESH_MAX ? alive : CONNECTIONS_MIN;
  }

  /** Whom to dial now, the most promising first, at most `count`. */
  due(connected: ReadonlySet<PeerId>, now: number, count: number): readonly [PeerId, Target][] {
    return [...this.#targets]
      .filter(([peer, { dueAt, dialling }]) => !dialling && dueAt <= now && !connected.has(peer))
      .map((entry) => ({ entry, lot: this.#lot() }))
      .sort((a, b) => a.entry[1].failures - b.entry[1].failures || a.lot - b.lot)
      .slice(0, Math.max(0, count))
      .map(({ entry }) => entry);
  }

  /** How many dials are under way. */
  dialling(): number {
    let count = 0;
    for (const { dialling } of this.#targets.values()) count += dialling ? 1 : 0;
    return count;
  }

  succeeded(target: Target): void {
    target.failures = 0;
    target.lastError = undefined;
  }

  /** Doubles the wait, give or take a quarter, so that a swarm does not redial in step. */
  failed(target: Target, reason: string, now: number): void {
    const { firstMs, maxMs } = this.#options.redial;
    const wait = Math.min(maxMs, firstMs * 2 ** Math.min(target.failures, 20));
    target.failures++;
    target.lastError = reason;
    target.dueAt = now + wait * (0.75 + this.#lot() / 2);
  }

  /** For the doctor: who could not be reached, and why. */
  unreachable(): readonly UnreachablePeer[] {
    return [...this.#targets]
      .flatMap(([peer, { failures, lastError }]) =>
        lastError === undefined ? [] : [{ peer, failures, lastError }],
      )
      .sort((a, b) => b.failures - a.failures)
      .slice(0, REPORTED_MAX);
  }

  /** A number in 0…1. */
  #lot(): number {
    const [high, low] = this.#options.random.bytes(2);
    return (high! * 256 + low!) / 65535;
  }

  #forgetWorst(): void {
    let worst: [PeerId, Target] | undefined;
    for (const entry of this.#targets) {
      if (worst === undefined || entry[1].failures > worst[1].failures) worst = entry;
    }
    if (worst !== undefined) this.#targets.delete(worst[0]);
  }
}

export const newTarget = (dueAt: number): Target => ({
  attempts: 0,
  failures: 0,
  dueAt,
  dialling: false,
  lastError: undefined,
});
