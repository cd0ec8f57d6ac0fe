import { type Api, messageOf } from './api.ts';
import { afterEvent, LASTING } from './jobs.ts';
import type { ServerEvent } from './sse.ts';
import type { JobEvent, JobView, Status } from './types.ts';

export interface LogLine {
  readonly at: number;
  readonly kind: string;
  readonly text: string;
}

/** What all pages share. */
export interface Snapshot {
  readonly status: Status | undefined;
  readonly jobs: readonly JobView[] | undefined;
  /** Why the daemon cannot be asked; undefined while it answers. */
  readonly failure: string | undefined;
  /** Whether events arrive as they happen. */
  readonly isLive: boolean;
  /** Events since this page was opened, the newest first. */
  readonly logs: ReadonlyMap<string, readonly LogLine[]>;
  /** The last thing that happened, for screen readers. */
  readonly said: string;
}

const STATUS_MS = 3_000;
/** Without events jobs are asked for as often as the status; with them only to be sure. */
const JOBS_MS = 20_000;
/** A job is asked for so long after an event that says less than all of it. */
const JOB_MS = 1_000;
/** Answers grow with the rounds: with more than so many they are asked for less often. */
const FEW_ROUNDS = 200;
const pace = (jobs: readonly JobView[]): number =>
  Math.max(1, jobs.reduce((sum, { rounds }) => sum + rounds.length, 0) / FEW_ROUNDS);
const RETRY_MS = 2_000;
const LOG_LINES_MAX = 60;

/** Asks and listens while somebody looks, and tells of every change. */
export class Store {
  readonly #api: Api;
  readonly #listeners = new Set<() => void>();
  #ending: AbortController | undefined;
  #lastEvent: string | undefined;
  /** Jobs that will be asked for in a moment. */
  readonly #due = new Set<string>();
  #jobsAskedAt = Number.NEGATIVE_INFINITY;
  #snapshot: Snapshot = {
    ...{ status: undefined, jobs: undefined, failure: undefined, isLive: false },
    ...{ logs: new Map(), said: '' },
  };

  constructor(api: Api) {
    this.#api = api;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#ending !== undefined) return;
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    void this.#askAgain(signal);
    void this.#listenAgain(signal);
  }

  /** A page that nobody sees costs the daemon nothing. */
  stop(): void {
    this.#ending?.abort();
    this.#ending = undefined;
    this.#set({ isLive: false });
  }

  /** A job as the daemon has just answered it. */
  put(view: JobView): void {
    const known = this.#snapshot.jobs ?? [];
    const isNew = known.every(({ id }) => id !== view.id);
    const jobs = isNew ? [...known, view] : known.map((job) => (job.id === view.id ? view : job));
    this.#set({ jobs });
  }

  async refresh(): Promise<void> {
    this.#jobsAskedAt = Number.NEGATIVE_INFINITY;
    await this.#ask(undefined);
  }

  async #askAgain(signal: AbortSignal): Promise<void> {
    this.#jobsAskedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      await this.#ask(signal);
      await pause(STATUS_MS, signal);
    }
  }

  async #ask(signal: AbortSignal | undefined): Promise<void> {
    try {
      const status = await this.#api.get<Status>('/v1/status', signal);
      const isDue = this.#areJobsDue();
      const jobs = isDue ? await this.#api.get<JobView[]>('/v1/jobs', signal) : undefined;
      if (jobs !== undefined) this.#jobsAskedAt = performance.now();
      this.#set({ status, failure: undefined, ...(jobs && { jobs }) });
      // A job that came or went makes no event of another.
      if (status.jobs !== this.#snapshot.jobs?.length) this.#jobsAskedAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      if (signal?.aborted !== true) this.#set({ failure: messageOf(error) });
    }
  }

  #areJobsDue(): boolean {
    const { isLive, jobs = [] } = this.#snapshot;
    const everyMs = Math.min(JOBS_MS, isLive ? JOBS_MS : STATUS_MS * pace(jobs));
    // A timer may be a little early.
    return performance.now() - this.#jobsAskedAt > everyMs * 0.9;
  }

  async #listenAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const opened = () => {
          this.#set({ isLive: true });
          // What happened before the stream was open made no event here.
          void this.refresh();
        };
        const stream = { signal, after: this.#lastEvent, opened };
        for await (const event of this.#api.events('/v1/events', stream)) this.#take(event);
      } catch {
        // The status says what is wrong; here only the next try matters.
      }
      if (!signal.aborted) this.#set({ isLive: false });
      await pause(RETRY_MS, signal);
    }
  }

  #take({ name, id, data }: ServerEvent): void {
    if (id !== undefined) this.#lastEvent = id;
    // Events were missed: everything is asked for again.
    if (name === 'gap') {
      void this.refresh();
      return;
    }
    const event = JSON.parse(data) as JobEvent;
    const jobs = this.#snapshot.jobs;
    const known = jobs?.find((job) => job.id === event.job);
    if (known === undefined) {
      void this.refresh();
      return;
    }
    this.#set({
      jobs: jobs!.map((job) => (job === known ? afterEvent(job, event) : job)),
      logs: this.#logged(event),
      ...(LASTING.has(event.kind) && { said: `${known.name}: ${event.text}` }),
    });
    if (event.view === undefined) this.#askSoon(known);
  }

  #askSoon(job: JobView): void {
    const { id } = job;
    if (this.#due.has(id)) return;
    this.#due.add(id);
    setTimeout(
      async () => {
        this.#due.delete(id);
        if (this.#ending === undefined) return;
        try {
          this.put(await this.#api.get<JobView>(`/v1/jobs/${encodeURIComponent(id)}`));
        } catch {
          // The status says what is wrong, and all jobs are asked for again.
        }
      },
      JOB_MS * pace([job]),
    );
  }

  #logged({ job, kind, text }: JobEvent): Snapshot['logs'] {
    if (text === '' || kind === 'now') return this.#snapshot.logs;
    const line = { at: Date.now(), kind, text };
    const before = this.#snapshot.logs.get(job) ?? [];
    return new Map(this.#snapshot.logs).set(job, [line, ...before].slice(0, LOG_LINES_MAX));
  }

  #set(change: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Ends early, without an error, when the signal says so. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      // A page is open for days: what is left at the signal would pile up.
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}
