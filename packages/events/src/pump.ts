import { type Clock, errorMessage, type Log, millis, type Random } from '@starling/core';
import type { CloudEvent } from './event-schema.ts';
import { isWanted, type Wanted } from './filter.ts';
import type { Entry, Outbox } from './outbox.ts';
import { BusyError, GoneError, RefusedError, type Sink, type SinkStatus } from './sink.ts';

export interface PumpParts {
  readonly name: string;
  readonly kind: SinkStatus['kind'];
  readonly target: string;
  readonly wanted: Wanted;
  readonly outbox: Outbox;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** An event of this peer that is not in the outbox: the number of events that were lost. */
  readonly missedEvent: (missed: number, before: number) => CloudEvent;
}

const BACKOFF_MS = { least: 1_000, most: 300_000 } as const;
/** Times an event is offered that is refused. */
const OFFERS_MAX = 5;
const READ_MAX = 256;

/**
 * Carries events from the outbox to one sink, in order, each at least once. A sink that fails is
 * tried again for ever, with pauses that grow; only the cursor's advance is final.
 */
export class Pump {
  readonly #parts: PumpParts;
  readonly #ending = new AbortController();
  #wake: () => void = () => {};
  #state: SinkStatus['state'] = 'waiting';
  #failures = 0;
  #offers = 0;
  #delivered = 0;
  #setAside = 0;
  #missed = 0;
  #lastError: string | null = null;
  #running: Promise<void> | undefined;

  constructor(parts: PumpParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something new is in the outbox. */
  wake(): void {
    if (this.#state === 'waiting') this.#wake();
  }

  status(): SinkStatus {
    const { name, kind, target, outbox } = this.#parts;
    return {
      ...{ name, kind, target, state: this.#state, behind: outbox.last - outbox.cursor(name) },
      ...{ delivered: this.#delivered, setAside: this.#setAside, missed: this.#missed },
      lastError: this.#lastError,
    };
  }

  /** Ends what is under way; what is not confirmed comes again after the next start. */
  async stop(): Promise<void> {
    this.#ending.abort();
    this.#wake();
    await this.#running;
    await this.#parts.sink.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted && this.#state !== 'off') {
      try {
        const more = await this.#turn();
        if (!more) await this.#pause(undefined);
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      }
    }
  }

  /** One batch; false when there is nothing to deliver. */
  async #turn(): Promise<boolean> {
    const { outbox, name, wanted, sink } = this.#parts;
    const cursor = outbox.cursor(name);
    if (cursor >= outbox.last) return false;
    const lost = outbox.first - 1 - cursor;
    if (lost > 0) return this.#tellLoss(lost);
    const read = await outbox.after(cursor, READ_MAX);
    const due = read.filter(({ event }) => isWanted(wanted, event)).slice(0, sink.batch);
    if (due.length > 0) await this.#deliver(due);
    // What the sink does not want is passed over, up to the next that it does.
    const isAll = due.length < sink.batch;
    const upTo = isAll ? read.at(-1) : due.at(-1);
    if (upTo !== undefined) await outbox.confirm(name, upTo.sequence);
    return true;
  }

  async #deliver(due: readonly Entry[]): Promise<void> {
    const { sink, outbox, name } = this.#parts;
    this.#state = 'delivering';
    try {
      await sink.deliver(due, this.#ending.signal);
    } catch (error) {
      if (!(error instanceof RefusedError) || due.length > 1) throw error;
      this.#offers++;
      if (this.#offers < OFFERS_MAX) throw error;
      await outbox.setAside(name, due[0]!, error.message);
      this.#setAside++;
      this.#parts.log.warn('an event was refused and is set aside', {
        ...{ sink: name, type: due[0]!.event.type, reason: error.message },
      });
      this.#offers = 0;
      return;
    }
    this.#recovered();
    this.#offers = 0;
    this.#delivered += due.length;
  }

  async #tellLoss(lost: number): Promise<boolean> {
    const { outbox, name, sink, log, missedEvent } = this.#parts;
    const before = outbox.first - 1;
    this.#state = 'delivering';
    await sink.deliver(
      [{ sequence: before, event: missedEvent(lost, before) }],
      this.#ending.signal,
    );
    this.#recovered();
    this.#missed += lost;
    log.warn('events were dropped, because the sink was too far behind', { sink: name, lost });
    await outbox.confirm(name, before);
    return true;
  }

  #recovered(): void {
    const { log, name } = this.#parts;
    if (this.#failures > 0) log.info('events are delivered again', { sink: name });
    this.#failures = 0;
    this.#lastError = null;
  }

  async #failed(error: unknown): Promise<void> {
    const { log, name, target } = this.#parts;
    this.#lastError = errorMessage(error);
    if (error instanceof GoneError) {
      this.#state = 'off';
      log.warn('the sink wants no more events; it is off until the next start', {
        ...{ sink: name, target, reason: error.message },
      });
      return;
    }
    // Told once, not with every try.
    if (this.#failures === 0) {
      log.warn('events cannot be delivered; trying again', {
        ...{ sink: name, target, reason: this.#lastError },
      });
    }
    this.#failures++;
    this.#state = 'retrying';
    await this.#pause(error instanceof BusyError ? error.waitMs : this.#backOff());
  }

  /** Twice as long after each failure, and up to half of it less: not all come at once. */
  #backOff(): number {
    const { least, most } = BACKOFF_MS;
    const whole = Math.min(most, least * 2 ** Math.min(this.#failures - 1, 20));
    return whole * (1 - this.#parts.random.bytes(1)[0]! / 512);
  }

  /** Until there is something new, or for so long; the end cuts it short. */
  async #pause(ms: number | undefined): Promise<void> {
    if (this.#ending.signal.aborted) return;
    if (ms === undefined) this.#state = 'waiting';
    await new Promise<void>((resolve) => {
      const cancel = ms === undefined ? () => {} : this.#parts.clock.setTimer(millis(ms), resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      // It may have come between the last look and this.
      const { outbox, name } = this.#parts;
      if (ms === undefined && outbox.cursor(name) < outbox.last) this.#wake();
    });
    this.#wake = () => {};
  }
}
