import {
  type Clock,
  errorMessage,
  type JobId,
  type Log,
  millis,
  type PeerId,
} from '@starling/core';
import { type JobReport, NOT_LOOKED_AT } from '@starling/node';
import type { Notice } from '@starling/rounds';
import type { CheckpointOutcome, CheckpointTask } from './checkpoint-task.ts';
import type { CheckpointsConfig } from './checkpoints-config.ts';
import type { ModelParts } from './pulled-model.ts';

export interface CheckpointParts {
  readonly config: CheckpointsConfig;
  readonly self: PeerId;
  readonly jobs: () => readonly JobReport[];
  readonly gather: (job: JobId, round: number) => Promise<ModelParts>;
  /** Brings a model to the target, away from the daemon's loop. */
  readonly write: (task: CheckpointTask) => Promise<CheckpointOutcome>;
  readonly clock: Clock;
  /** From 0 to 1, for pauses: daemons that share a target must not come back at once. */
  readonly chance: () => number;
  readonly log: Log;
}

export interface CheckpointStatus {
  readonly to: string;
  readonly every: number;
  readonly keep: number;
  readonly state: 'waiting' | 'writing' | 'retrying';
  readonly written: number;
  /** That another peer had written before. */
  readonly found: number;
  readonly failed: number;
  /** Overtaken by newer rounds while the target was away, or no longer to be had. */
  readonly skipped: number;
  readonly deleted: number;
  readonly pending: number;
  readonly bytes: number;
  readonly last: {
    readonly job: string;
    readonly round: number;
    readonly secondsAgo: number;
  } | null;
  readonly lastError: string | null;
}

interface Item {
  readonly job: JobId;
  readonly round: number;
}

const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 300_000;
/** Until jobs are looked through again that were not read from the journal yet. */
const LOOK_MS = 1000;
/** A state that nobody had so often is not waited for any longer. */
const GATHER_MAX = 3;

/**
 * Writes each N-th certified model of the jobs that this peer launched or takes part in to a place
 * that others read. One at a time, behind the rounds: nothing waits for it. Of each job it
 * remembers as many rounds as are kept; what is older when the target comes back would be deleted
 * anyway.
 */
export class Checkpoints {
  readonly #parts: CheckpointParts;
  readonly #pending = new Map<JobId, number[]>();
  readonly #counts = { written: 0, found: 0, failed: 0, skipped: 0, deleted: 0, bytes: 0 };
  #last: (Item & { readonly at: number }) | undefined;
  #lastError: string | null = null;
  #isWriting = false;
  /** What is on its way. */
  #current: Item | undefined;
  #failures = 0;
  #misses = 0;
  #cancel: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: CheckpointParts) {
    this.#parts = parts;
  }

  /** Takes up the newest checkpoint of each job: it may not have been written before a crash. */
  start(seen: ReadonlySet<JobId> = new Set()): void {
    const fresh = this.#parts.jobs().filter(({ job }) => !seen.has(job.id));
    const [known, others] = partition(fresh, ({ isRecovered, standing }) => {
      return isRecovered && standing !== NOT_LOOKED_AT;
    });
    for (const report of known) this.#takeNewest(report);
    if (others.length === 0 || this.#isStopped) return;
    const all = new Set([...seen, ...known.map(({ job }) => job.id)]);
    const { clock } = this.#parts;
    this.#cancelLook = clock.setTimer(millis(LOOK_MS), () => this.start(all));
  }

  take(job: JobId, notice: Notice): void {
    if (this.#isStopped) return;
    if (notice.kind === 'rolled-back') this.#forgetAfter(job, notice.toRound);
    const round =
      notice.kind === 'certified'
        ? notice.certificate.statement.round
        : notice.kind === 'finished'
          ? notice.round
          : 0;
    const isLast = notice.kind === 'finished' && !this.#isCurrent(job, round);
    const isDue = round > 0 && (notice.kind === 'certified' ? this.#isWanted(round) : isLast);
    if (isDue && this.#isOurs(job)) this.#add(job, round);
  }

  status(): CheckpointStatus {
    const { config, clock } = this.#parts;
    const last = this.#last;
    const current = this.#current === undefined ? 0 : 1;
    const pending = [...this.#pending.values()].reduce((sum, each) => sum + each.length, current);
    const state = this.#isWriting ? 'writing' : this.#failures > 0 ? 'retrying' : 'waiting';
    return {
      ...{ ...config, ...this.#counts, state, pending, lastError: this.#lastError },
      last:
        last === undefined
          ? null
          : { job: last.job, round: last.round, secondsAgo: (clock.now() - last.at) / 1000 },
    };
  }

  /** What is on its way may arrive or not; whole in either case. */
  stop(): void {
    this.#isStopped = true;
    this.#pending.clear();
    this.#cancel?.();
    this.#cancelLook?.();
  }

  #isWanted(round: number): boolean {
    return round % this.#parts.config.every === 0;
  }

  #isCurrent(job: JobId, round: number): boolean {
    return this.#current?.job === job && this.#current.round === round;
  }

  #isOurs(id: JobId): boolean {
    const { jobs, self } = this.#parts;
    const report = jobs().find(({ job }) => job.id === id);
    return report?.job.launcher === self || report?.standing.kind === 'participating';
  }

  #takeNewest({ job, certificates, phase }: JobReport): void {
    const { every } = this.#parts.config;
    const length = certificates.length;
    const round = phase === 'finished' ? length : length - (length % every);
    if (round > 0 && this.#isOurs(job.id)) this.#add(job.id, round);
  }

  #add(job: JobId, round: number): void {
    const rounds = this.#pending.get(job)?.filter((each) => each !== round) ?? [];
    rounds.push(round);
    rounds.sort((a, b) => a - b);
    const excess = Math.max(0, rounds.length - this.#parts.config.keep);
    this.#counts.skipped += excess;
    this.#pending.set(job, rounds.slice(excess));
    if (!this.#isWriting && this.#failures === 0) void this.#work();
  }

  #forgetAfter(job: JobId, round: number): void {
    const rounds = this.#pending.get(job)?.filter((each) => each <= round);
    if (rounds !== undefined) this.#drop(job, rounds);
  }

  #drop(job: JobId, left: number[]): void {
    if (left.length > 0) this.#pending.set(job, left);
    else this.#pending.delete(job);
  }

  /** Off the list first: a round that is certified anew meanwhile is on it again then. */
  #takeNext(): boolean {
    for (const [job, [round, ...later]] of this.#pending) {
      this.#drop(job, later);
      if (round === undefined) continue;
      this.#current = { job, round };
      return true;
    }
    return false;
  }

  async #work(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#takeNext()) {
        await this.#write(this.#current!);
        this.#failures = 0;
      }
      // What failed may have been rolled back meanwhile.
      this.#failures = 0;
    } catch (error) {
      if (!this.#isStopped) this.#retryAfter(error);
    } finally {
      this.#isWriting = false;
      this.#current = undefined;
    }
  }

  async #write(item: Item): Promise<void> {
    const { config, write, log, clock } = this.#parts;
    const parts = await this.#gathered(item);
    if (parts === undefined || this.#isStopped) return;
    const { isWritten, bytes, deleted } = await write({ config, ...item, parts });
    this.#counts.deleted += deleted;
    this.#last = { ...item, at: clock.now() };
    this.#lastError = null;
    if (!isWritten) this.#counts.found++;
    else {
      this.#counts.written++;
      this.#counts.bytes += bytes;
    }
    const what = isWritten ? 'checkpoint written' : 'checkpoint is there already';
    log.info(what, { ...item, to: config.to });
  }

  /** Undefined for what cannot be had, such as a round that was rolled back meanwhile. */
  async #gathered({ job, round }: Item): Promise<ModelParts | undefined> {
    const { gather, log } = this.#parts;
    try {
      const parts = await gather(job, round);
      this.#misses = 0;
      return parts;
    } catch (error) {
      if (++this.#misses < GATHER_MAX) throw error;
      this.#misses = 0;
      this.#counts.skipped++;
      log.warn('a checkpoint is left out', { job, round, reason: errorMessage(error) });
      return undefined;
    }
  }

  #retryAfter(error: unknown): void {
    const { clock, chance, log } = this.#parts;
    if (this.#current !== undefined) this.#add(this.#current.job, this.#current.round);
    this.#current = undefined;
    this.#counts.failed++;
    const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** this.#failures) * (0.5 + chance() / 2);
    this.#failures++;
    this.#lastError = errorMessage(error);
    log.warn('checkpoint not written', {
      ...{ error: this.#lastError, retryInSeconds: Math.round(pause / 100) / 10 },
      pending: this.status().pending,
    });
    this.#cancel = clock.setTimer(millis(pause), () => void this.#work());
  }
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
