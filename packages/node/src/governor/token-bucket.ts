import { type Clock, millis, type PeerId, type Throttle } from '@starling/core';

export interface BucketParts {
  readonly clock: Clock;
  /** Bytes a second as they are now; no cap when undefined. */
  readonly rate: () => number | undefined;
}

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

/** What may go at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.25;
/** Time over which the rate of the report is taken. */
const REPORT_MS = 2_000;

/**
 * A token bucket over all streams of one direction. Whoever finds it not empty goes, however much
 * it takes, and leaves it in debt: a frame may be larger than the bucket. Peers that wait take
 * turns, so one with many streams gets no more than one with a single one.
 */
export class TokenBucket implements Throttle {
  readonly #parts: BucketParts;
  /** What waits, by peer; the peers in the order of their next turns. */
  readonly #waiting = new Map<PeerId, Waiting[]>();
  #level = 0;
  #filledAt: number;
  #cancel: (() => void) | undefined;
  #total = 0;
  #window: { at: number; total: number };
  #perSecond = 0;

  constructor(parts: BucketParts) {
    this.#parts = parts;
    this.#filledAt = parts.clock.now();
    this.#window = { at: this.#filledAt, total: 0 };
    this.#level = BURST_SECONDS * (parts.rate() ?? 0);
  }

  take(bytes: number, peer: PeerId, signal?: AbortSignal): Promise<void> | undefined {
    this.#fill();
    if (this.#isFree() && this.#waiting.size === 0) {
      this.charge(bytes);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        this.#forget(peer, entry);
        reject(signal?.reason);
      };
      const entry: Waiting = {
        bytes,
        go: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const queue = this.#waiting.get(peer);
      if (queue === undefined) this.#waiting.set(peer, [entry]);
      else queue.push(entry);
      this.#arm();
    });
  }

  charge(bytes: number): void {
    // Without a cap nobody owes anything when one comes.
    if (this.#parts.rate() !== undefined) this.#level -= bytes;
    this.#total += bytes;
  }

  /** The rate has changed: those who wait look again. */
  poke(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#serve();
  }

  /** Bytes a second of late, and of the whole run. */
  report(): { readonly perSecond: number; readonly total: number } {
    const now = this.#parts.clock.now();
    const elapsed = now - this.#window.at;
    if (elapsed >= REPORT_MS) {
      this.#perSecond = Math.round((1000 * (this.#total - this.#window.total)) / elapsed);
      this.#window = { at: now, total: this.#total };
    }
    return { perSecond: this.#perSecond, total: this.#total };
  }

  #isFree(): boolean {
    return this.#parts.rate() === undefined || this.#level > 0;
  }

  #fill(): void {
    const now = this.#parts.clock.now();
    const rate = this.#parts.rate();
    const full = BURST_SECONDS * (rate ?? 0);
    const gained =
      rate === undefined ? Number.POSITIVE_INFINITY : (rate * (now - this.#filledAt)) / 1000;
    this.#level = Math.min(full, this.#level + gained);
    this.#filledAt = now;
  }

  #serve(): void {
    this.#fill();
    while (this.#isFree()) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [peer, queue] = next;
      const entry = queue.shift();
      this.#waiting.delete(peer);
      if (queue.length > 0) this.#waiting.set(peer, queue);
      if (entry === undefined) continue;
      this.charge(entry.bytes);
      entry.go();
    }
    this.#arm();
  }

  /** Wakes when the debt is paid. */
  #arm(): void {
    const rate = this.#parts.rate();
    if (this.#cancel !== undefined || this.#waiting.size === 0) return;
    const wait = rate === undefined ? 0 : Math.ceil((1000 * Math.max(1, 1 - this.#level)) / rate);
    this.#cancel = this.#parts.clock.setTimer(millis(wait), () => {
      this.#cancel = undefined;
      this.#serve();
    });
  }

  #forget(peer: PeerId, entry: Waiting): void {
    const queue = this.#waiting.get(peer)?.filter((each) => each !== entry) ?? [];
    if (queue.length > 0) this.#waiting.set(peer, queue);
    else this.#waiting.delete(peer);
  }
}
