import {
  type Clock,
  errorMessage,
  type Log,
  millis,
  type Random,
  toHex,
  utf8,
} from '@starling/core';
import { sha256 } from '@starling/crypto';
import type { Notice } from '@starling/rounds';
import type { NamedSink } from './create-sinks.ts';
import type { CloudEvent, EventBody } from './event-schema.ts';
import { changesOf, type SeenJob } from './from-job.ts';
import { fromNotice, type NamedJob } from './from-notice.ts';
import type { Outbox } from './outbox.ts';
import { Pump } from './pump.ts';
import type { SinkStatus } from './sink.ts';

export interface BridgeParts {
  readonly self: string;
  readonly outbox: Outbox;
  readonly sinks: readonly NamedSink[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Milliseconds since 1970: events tell when they happened. */
  readonly now: () => number;
  /** The jobs as this peer has them durably, at the moment. */
  readonly jobs: () => readonly SeenJob[];
}

/** Jobs are looked at so often even when nothing is told of them. */
const LOOK_MS = 2_000;
/** Events that wait to be written, when the disk is slower than the rounds. */
const WAITING_MAX = 10_000;

/**
 * Turns what a node tells, and what its jobs' chains show, into events on disk, and has them
 * carried to the sinks. What the chain shows is derived by comparing it with what was told: no
 * certified round is lost, whenever the process dies.
 */
export class EventBridge {
  readonly #parts: BridgeParts;
  readonly #pumps: readonly Pump[];
  readonly #source: string;
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isStopped = false;
  #isLosing = false;
  #cancelLook: () => void = () => {};

  constructor(parts: BridgeParts) {
    this.#parts = parts;
    this.#source = `urn:starling:peer:${parts.self}`;
    const missedEvent = (missed: number, before: number) => ({
      ...this.#envelope({ type: 'starling.events.missed', data: { missed } }),
      sequence: String(before).padStart(12, '0'),
    });
    const { outbox, clock, random, log } = parts;
    this.#pumps = parts.sinks.map(
      (sink) => new Pump({ ...sink, outbox, clock, random, log, missedEvent }),
    );
  }

  async start(): Promise<void> {
    await this.#parts.outbox.follow(this.#parts.sinks.map(({ name }) => name));
    for (const pump of this.#pumps) pump.start();
    this.#look();
  }

  /** Never throws and never waits: the daemon goes on whatever happens to events. */
  take(named: NamedJob, notice: Notice): void {
    // What was derived from the chain before this notice comes before it.
    this.#enqueue(async () => {
      await this.#compare();
      const body = fromNotice(named, notice);
      if (body !== undefined) await this.#append(body);
    });
  }

  status(): readonly SinkStatus[] {
    return this.#pumps.map((pump) => pump.status());
  }

  async stop(): Promise<void> {
    this.#cancelLook();
    await this.#enqueue(() => this.#compare());
    this.#isStopped = true;
    await this.#work;
    for (const pump of this.#pumps) await pump.stop();
  }

  #look(): void {
    this.#enqueue(() => this.#compare());
    this.#cancelLook = this.#parts.clock.setTimer(millis(LOOK_MS), () => this.#look());
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    if (this.#isStopped || this.#waiting >= WAITING_MAX) return this.#work;
    this.#waiting++;
    this.#work = this.#work
      .then(task)
      .catch((error: unknown) => this.#kept(error))
      .finally(() => {
        this.#waiting--;
      });
    return this.#work;
  }

  /** Told once, not with every event: what fills a disk must not be how full it is. */
  #kept(error: unknown): void {
    const { log } = this.#parts;
    const isLost = error !== undefined;
    if (isLost === this.#isLosing) return;
    this.#isLosing = isLost;
    if (isLost) log.warn('events cannot be kept', { reason: errorMessage(error) });
    else log.info('events are kept again');
  }

  /** Tells what the jobs have that was not told: the events first, then that they were. */
  async #compare(): Promise<void> {
    const { outbox, jobs } = this.#parts;
    for (const job of jobs()) {
      const before = await outbox.mark(job.job);
      const { events, mark } = changesOf(before, job);
      if (events.length === 0) continue;
      for (const body of events) await this.#append(body);
      await outbox.setMark(job.job, mark);
    }
  }

  async #append(body: EventBody): Promise<void> {
    await this.#parts.outbox.append(this.#envelope(body));
    this.#kept(undefined);
    for (const pump of this.#pumps) pump.wake();
  }

  #envelope({ type, data, identity }: EventBody): Omit<CloudEvent, 'sequence'> {
    const { random, now } = this.#parts;
    const { job, round } = data as { readonly job?: string; readonly round?: number };
    const id =
      identity === undefined
        ? toHex(random.bytes(16))
        : toHex(sha256(utf8(`${this.#source}/${identity}`)).subarray(0, 16));
    const subject = round === undefined ? `jobs/${job}` : `jobs/${job}/rounds/${round}`;
    return {
      ...{ specversion: '1.0', id, source: this.#source, type },
      ...(job !== undefined && { subject, partitionkey: job }),
      ...{ time: new Date(now()).toISOString(), datacontenttype: 'application/json', data },
    };
  }
}
