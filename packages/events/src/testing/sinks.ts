import type { Clock, Journal } from '@starling/core';
import { millis } from '@starling/core';
import type { CloudEvent } from '../event-schema.ts';
import type { Entry } from '../outbox.ts';
import type { Sink } from '../sink.ts';

/** A sink that does as it is told: each delivery takes the next of its answers, if there is one. */
export class ScriptedSink implements Sink {
  readonly batch: number;
  readonly got: CloudEvent[] = [];
  readonly answers: (Error | undefined)[] = [];
  deliveries = 0;

  constructor(batch = 4) {
    this.batch = batch;
  }

  async deliver(entries: readonly Entry[]): Promise<void> {
    this.deliveries++;
    const answer = this.answers.shift();
    if (answer !== undefined) throw answer;
    this.got.push(...entries.map(({ event }) => event));
  }

  async close(): Promise<void> {}
}

/** Time that moves when told to. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>();

  now = () => millis(this.#now);

  setTimer(after: number, fire: () => void): () => void {
    const timer = { at: this.#now + after, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Until the next timer, which fires. */
  next(): number {
    const [first] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (first === undefined) throw new Error('no timer is set');
    this.#timers.delete(first);
    const waited = first.at - this.#now;
    this.#now = first.at;
    first.fire();
    return waited;
  }

  get waiting(): number {
    return this.#timers.size;
  }
}

/** A journal whose process dies at a given write, before it or after it, and stays dead. */
export function dyingJournal(journal: Journal, at: number, isAfter: boolean): Journal {
  let writes = 0;
  const write = async (work: () => Promise<void>) => {
    writes++;
    if (writes > at || (writes === at && !isAfter)) throw new Error('dead');
    await work();
    if (writes >= at) throw new Error('dead');
  };
  return {
    get: (key) => journal.get(key),
    entries: (prefix) => journal.entries(prefix),
    put: (key, value) => write(() => journal.put(key, value)),
    deletePrefix: (prefix) => write(() => journal.deletePrefix(prefix)),
  };
}
