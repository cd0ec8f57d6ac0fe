import type { Journal } from '@starling/core';
import type { CloudEvent } from './event-schema.ts';
import { type Mark, NOTHING_TOLD } from './from-job.ts';
import { decodeJson, encodeJson } from './json.ts';

/** An event and its place in the order of this peer's events. */
export interface Entry {
  readonly sequence: number;
  readonly event: CloudEvent;
}

export interface OutboxLimits {
  /** Events that wait for sinks that do not take them. */
  readonly eventsMax: number;
  readonly bytesMax: number;
}

export const OUTBOX_LIMITS: OutboxLimits = { eventsMax: 100_000, bytesMax: 64 * 2 ** 20 };

/** Events that are forgotten together. */
const SEGMENT = 256;
/** Events of one sink that are kept for a look after it refused them; the oldest go first. */
const ASIDE_MAX = 1_000;

/**
 * Events on disk until every sink has them, and how far each sink is. Nothing here knows how events
 * are delivered. It wants a journal of its own: events come and go by the thousand.
 */
export class Outbox {
  readonly #journal: Journal;
  readonly #limits: OutboxLimits;
  readonly #cursors = new Map<string, number>();
  /** Segments that are kept, the oldest first, with the bytes of their events. */
  readonly #segments: { readonly index: number; bytes: number; count: number }[] = [];
  /** Of the newest event ever; 0 before the first. */
  #last = 0;

  private constructor(journal: Journal, limits: OutboxLimits) {
    this.#journal = journal;
    this.#limits = limits;
  }

  static async open(journal: Journal, limits: OutboxLimits = OUTBOX_LIMITS): Promise<Outbox> {
    const outbox = new Outbox(journal, limits);
    for await (const [key, value] of journal.entries('event/')) {
      outbox.#count(sequenceOf(key), value.length);
    }
    for await (const [key, value] of journal.entries('cursor/')) {
      const at = decodeJson<number>(value);
      outbox.#cursors.set(key.split('/')[1]!, at);
      // All events up to there may be gone, and their numbers must not come again.
      outbox.#last = Math.max(outbox.#last, at);
    }
    return outbox;
  }

  /** Number of the newest event. */
  get last(): number {
    return this.#last;
  }

  /** Number of the oldest event that is still here; one more than the newest when none is. */
  get first(): number {
    const oldest = this.#segments[0];
    return oldest === undefined ? this.#last + 1 : oldest.index * SEGMENT;
  }

  /**
   * Knows the sinks from now on: one that is new gets what comes after this, and the cursors of
   * those that are configured no more are forgotten.
   */
  async follow(sinks: readonly string[]): Promise<void> {
    for (const sink of sinks) {
      if (!this.#cursors.has(sink)) await this.confirm(sink, this.#last);
    }
    for (const sink of [...this.#cursors.keys()]) {
      if (sinks.includes(sink)) continue;
      this.#cursors.delete(sink);
      await this.#journal.deletePrefix(cursorKey(sink));
    }
  }

  /** Keeps an event durably; it is numbered here. */
  async append(event: Omit<CloudEvent, 'sequence'>): Promise<Entry> {
    const sequence = this.#last + 1;
    const entry = { sequence, event: { ...event, sequence: String(sequence).padStart(12, '0') } };
    const bytes = encodeJson(entry.event);
    await this.#journal.put(eventKey(sequence), bytes);
    this.#count(sequence, bytes.length);
    await this.#makeRoom();
    return entry;
  }

  /** The next events after `sequence`, in order, at most `most`. */
  async after(sequence: number, most: number): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    let at = Math.max(sequence + 1, this.first);
    while (entries.length < most && at <= this.#last) {
      const index = Math.floor(at / SEGMENT);
      for await (const [key, value] of this.#journal.entries(segmentPrefix(index))) {
        const found = sequenceOf(key);
        if (found < at || entries.length >= most) continue;
        entries.push({ sequence: found, event: decodeJson<CloudEvent>(value) });
      }
      at = (index + 1) * SEGMENT;
    }
    return entries;
  }

  /** The last event that a sink confirmed. */
  cursor(sink: string): number {
    return this.#cursors.get(sink) ?? this.#last;
  }

  /** The sink has everything up to `sequence`. */
  async confirm(sink: string, sequence: number): Promise<void> {
    await this.#journal.put(cursorKey(sink), encodeJson(sequence));
    this.#cursors.set(sink, sequence);
    await this.#forgetConfirmed();
  }

  /** Keeps an event that a sink refused for good, so that the owner can look at it. */
  async setAside(sink: string, { sequence, event }: Entry, reason: string): Promise<void> {
    const key = `aside/${sink}/${padded(sequence)}`;
    await this.#journal.put(key, encodeJson({ event, reason }));
    const keys: string[] = [];
    for await (const [each] of this.#journal.entries(`aside/${sink}/`)) keys.push(each);
    for (const old of keys.slice(0, -ASIDE_MAX)) await this.#journal.deletePrefix(old);
  }

  async setAsideBy(sink: string): Promise<readonly { event: CloudEvent; reason: string }[]> {
    const refused: { event: CloudEvent; reason: string }[] = [];
    for await (const [, value] of this.#journal.entries(`aside/${sink}/`)) {
      refused.push(decodeJson(value));
    }
    return refused;
  }

  /** What has been told of a job. */
  async mark(job: string): Promise<Mark> {
    const value = await this.#journal.get(`mark/${job}`);
    return value === undefined ? NOTHING_TOLD : decodeJson<Mark>(value);
  }

  async setMark(job: string, mark: Mark): Promise<void> {
    await this.#journal.put(`mark/${job}`, encodeJson(mark));
  }

  #count(sequence: number, bytes: number): void {
    const index = Math.floor(sequence / SEGMENT);
    const newest = this.#segments.at(-1);
    if (newest?.index === index) {
      newest.bytes += bytes;
      newest.count++;
    } else this.#segments.push({ index, bytes, count: 1 });
    this.#last = Math.max(this.#last, sequence);
  }

  /** Segments that every sink has, but for the newest, which is still filled. */
  async #forgetConfirmed(): Promise<void> {
    const least = Math.min(this.#last, ...this.#cursors.values());
    while (this.#segments.length > 1 && (this.#segments[0]!.index + 1) * SEGMENT - 1 <= least) {
      await this.#forgetOldest();
    }
  }

  /** When sinks are too far behind, they lose the oldest. */
  async #makeRoom(): Promise<void> {
    const total = (of: 'bytes' | 'count') =>
      this.#segments.reduce((sum, segment) => sum + segment[of], 0);
    const { eventsMax, bytesMax } = this.#limits;
    while (this.#segments.length > 1 && (total('count') > eventsMax || total('bytes') > bytesMax)) {
      await this.#forgetOldest();
    }
  }

  async #forgetOldest(): Promise<void> {
    // Out of the list before the wait: another caller must not forget the next one in its place.
    const oldest = this.#segments.shift()!;
    await this.#journal.deletePrefix(segmentPrefix(oldest.index));
  }
}

const padded = (number: number): string => String(number).padStart(12, '0');
/** Ends in a slash, so that no sink's name is the beginning of another's key. */
const cursorKey = (sink: string): string => `cursor/${sink}/`;
const segmentPrefix = (index: number): string => `event/${padded(index)}/`;
const eventKey = (sequence: number): string =>
  `${segmentPrefix(Math.floor(sequence / SEGMENT))}${padded(sequence)}`;
const sequenceOf = (key: string): number => Number(key.slice(key.lastIndexOf('/') + 1));
