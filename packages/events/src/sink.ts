import type { Entry } from './outbox.ts';

/** Where events go. */
export interface Sink {
  /** Events in one delivery, at most. */
  readonly batch: number;
  /**
   * Resolves when the other side has all of them durably, as far as it can say.
   * @throws RefusedError, GoneError, or anything else to be tried again
   */
  deliver(entries: readonly Entry[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The other side will not take this event, however often it comes; it is tried a few times. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The other side wants nothing more, ever: the sink is switched off until the next start. */
export class GoneError extends Error {
  override readonly name = 'GoneError';
}

/** The other side asks to wait. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly waitMs: number;
  constructor(message: string, waitMs: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

/** How one sink stands. */
export interface SinkStatus {
  readonly name: string;
  readonly kind: 'webhook' | 'amqp' | 'kafka';
  /** Where to, without secrets. */
  readonly target: string;
  readonly state: 'waiting' | 'delivering' | 'retrying' | 'off';
  /** Events that it has not confirmed. */
  readonly behind: number;
  readonly delivered: number;
  readonly setAside: number;
  /** Lost because it was too far behind. */
  readonly missed: number;
  readonly lastError: string | null;
}
