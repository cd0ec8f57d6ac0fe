import type { JobEvent } from './schemas.ts';

/** What is kept for those who come back: so many events, and of so much text, at most. */
const KEPT_EVENTS_MAX = 1024;
const KEPT_CHARS_MAX = 4 * 1024 * 1024;
/** Numbers that one millisecond has, so that those of a later run are always larger. */
const NUMBERS_EACH_MS = 1000;

/** An event as it is sent, to all the same. */
export interface NumberedEvent {
  readonly id: number;
  readonly job: string;
  /** JSON. */
  readonly text: string;
}

/** Events since one that a reader has seen. */
export interface Replay {
  readonly events: readonly NumberedEvent[];
  /** Whether there were others before them, which are forgotten. */
  readonly isGap: boolean;
}

export interface HubOptions {
  /** Milliseconds since 1970, when the hub begins. */
  readonly now: number;
  readonly keptMax?: number;
}

/** The last events of all jobs, numbered, for readers that come and go. In memory only. */
export class EventHub {
  #next: number;
  #first: number;
  #chars = 0;
  readonly #keptMax: number;
  readonly #kept: NumberedEvent[] = [];
  readonly #readers = new Set<(event: NumberedEvent) => void>();

  constructor({ now, keptMax = KEPT_EVENTS_MAX }: HubOptions) {
    this.#next = now * NUMBERS_EACH_MS;
    this.#first = this.#next;
    this.#keptMax = keptMax;
  }

  add(event: JobEvent): void {
    const numbered = { id: this.#next, job: event.job, text: JSON.stringify(event) };
    this.#next += 1;
    this.#kept.push(numbered);
    this.#chars += numbered.text.length;
    while (this.#kept.length > this.#keptMax || this.#chars > KEPT_CHARS_MAX) {
      const forgotten = this.#kept.shift()!;
      this.#chars -= forgotten.text.length;
      this.#first = forgotten.id + 1;
    }
    for (const reader of [...this.#readers]) reader(numbered);
  }

  /** What came after the event `id`; all there is, with a gap, where that is not known. */
  since(id: number): Replay {
    const isKnown = Number.isSafeInteger(id) && id >= this.#first - 1 && id < this.#next;
    if (!isKnown) return { events: [...this.#kept], isGap: true };
    return { events: this.#kept.filter((event) => event.id > id), isGap: false };
  }

  /** @returns what ends it */
  read(reader: (event: NumberedEvent) => void): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }
}
