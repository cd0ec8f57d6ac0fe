import type { Clock, PeerId } from '@starling/core';

export interface PaceLimits {
  /** Messages of one peer that are taken at once. */
  readonly burst: number;
  /** After that, one in so many milliseconds. */
  readonly everyMs: number;
  /** Peers that are remembered. */
  readonly peersMax: number;
}

/** Bounds how much of each peer's gossip is looked at; what is beyond is dropped. */
export class Pace {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #limits: PaceLimits;
  /** By peer, when all that it sent would be worked off; the one heard last at the end. */
  readonly #busyUntil = new Map<PeerId, number>();

  constructor(clock: Pick<Clock, 'now'>, limits: PaceLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Whether one more message of a peer may be taken now. */
  take(peer: PeerId): boolean {
    const { burst, everyMs, peersMax } = this.#limits;
    const now = this.#clock.now();
    const until = Math.max(now, this.#busyUntil.get(peer) ?? now);
    if (until - now > (burst - 1) * everyMs) return false;
    this.#busyUntil.delete(peer);
    this.#busyUntil.set(peer, until + everyMs);
    const [first] = this.#busyUntil.keys();
    if (this.#busyUntil.size > peersMax && first !== undefined) this.#busyUntil.delete(first);
    return true;
  }
}
