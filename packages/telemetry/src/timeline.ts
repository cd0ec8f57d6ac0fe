import type { JobId } from '@starling/core';
import { type Notice, type Slot, survivorCount } from '@starling/rounds';

/** Times are milliseconds since 1970, by this machine's clock. */
export interface PhaseSpan {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface AttemptSpan {
  readonly slot: Slot;
  readonly startMs: number;
  readonly endMs: number;
  /** Peers in the roster; null before there is one. */
  readonly participants: number | null;
  /** Null before they are decided. */
  readonly survivors: number | null;
  /** `left` when the peer went on to something else. */
  readonly outcome: 'certified' | 'retried' | 'burnt' | 'left';
  /** Why it was lost. */
  readonly reason: string | null;
  readonly phases: readonly PhaseSpan[];
}

/** One round of a job as this peer went through it. */
export interface RoundSpan {
  readonly job: JobId;
  readonly round: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: 'certified' | 'cancelled' | 'left';
  /** Whether the certificate is one that this peer worked on. */
  readonly own: boolean;
  readonly survivors: number | null;
  readonly trainings: readonly PhaseSpan[];
  readonly attempts: readonly AttemptSpan[];
}

export interface TimelineListener {
  /** As soon as it is over. */
  readonly onPhase?: (phase: PhaseSpan) => void;
  readonly onRound?: (round: RoundSpan) => void;
}

/** Kept of one round; of a job that retries for days the last ones matter. */
const TRIES_MAX = 32;

function keep<T>(tries: T[], next: T): void {
  if (tries.length === TRIES_MAX) tries.shift();
  tries.push(next);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface OpenAttempt extends Omit<Mutable<AttemptSpan>, 'phases' | 'endMs'> {
  readonly phases: PhaseSpan[];
}
interface OpenRound {
  readonly round: number;
  readonly startMs: number;
  readonly trainings: PhaseSpan[];
  readonly attempts: AttemptSpan[];
  attempt: OpenAttempt | undefined;
  phase: { readonly name: string; readonly startMs: number } | undefined;
}

/** Puts together from a node's notices how long each round, attempt and phase took. */
export class RoundTimeline {
  readonly #listeners: readonly TimelineListener[];
  readonly #open = new Map<JobId, OpenRound>();

  constructor(listeners: readonly TimelineListener[]) {
    this.#listeners = listeners;
  }

  /** @param now milliseconds since 1970 */
  take(job: JobId, notice: Notice, now: number): void {
    switch (notice.kind) {
      case 'training':
        this.#enter(this.#round(job, notice.round, now), 'training', now);
        return;
      case 'joining':
        this.#begin(this.#round(job, notice.round, now), notice.slot, now);
        return;
      case 'session':
        this.#attempt(job, notice, now).participants = notice.roster.length;
        return;
      case 'phase':
        // The session's own end is no phase: what follows it has a notice of its own.
        if (notice.phase === 'ended') return;
        this.#attempt(job, notice, now);
        this.#enter(this.#round(job, notice.round, now), notice.phase, now);
        return;
      case 'sum':
        this.#attempt(job, notice, now).survivors = notice.survivors.length;
        this.#enter(this.#round(job, notice.round, now), 'certify', now);
        return;
      case 'retry':
      case 'burnt': {
        this.#attempt(job, notice, now);
        const outcome = notice.kind === 'retry' ? 'retried' : 'burnt';
        const round = this.#round(job, notice.round, now);
        this.#endAttempt(round, { outcome, reason: notice.reason }, now);
        return;
      }
      case 'certified': {
        const survivors = survivorCount(notice.certificate.statement);
        this.#end(job, { outcome: 'certified', own: notice.own, survivors }, now);
        return;
      }
      case 'cancelled':
        this.#end(job, { outcome: 'cancelled', own: false, survivors: null }, now);
        return;
      case 'rolled-back':
      case 'finished':
        this.#end(job, { outcome: 'left', own: false, survivors: null }, now);
        return;
      default:
    }
  }

  #round(job: JobId, round: number, now: number): OpenRound {
    const open = this.#open.get(job);
    if (open?.round === round) return open;
    this.#end(job, { outcome: 'left', own: false, survivors: null }, now);
    const fresh: OpenRound = {
      ...{ round, startMs: now, trainings: [], attempts: [] },
      ...{ attempt: undefined, phase: undefined },
    };
    this.#open.set(job, fresh);
    return fresh;
  }

  /** The attempt of a slot; after a restart its JOIN may not have been told. */
  #attempt(
    job: JobId,
    { round, slot }: { readonly round: number; readonly slot: Slot },
    now: number,
  ): OpenAttempt {
    const open = this.#round(job, round, now);
    const { attempt } = open;
    const isSame =
      attempt?.slot.restarts === slot.restarts && attempt.slot.attempt === slot.attempt;
    if (attempt === undefined || !isSame) this.#begin(open, slot, now);
    return open.attempt!;
  }

  #begin(open: OpenRound, slot: Slot, now: number): void {
    this.#endAttempt(open, { outcome: 'left', reason: null }, now);
    open.attempt = {
      ...{ slot, startMs: now, participants: null, survivors: null },
      ...{ outcome: 'left', reason: null, phases: [] },
    };
    this.#enter(open, 'joining', now);
  }

  #enter(open: OpenRound, name: string, now: number): void {
    if (open.phase?.name === name) return;
    this.#endPhase(open, now);
    open.phase = { name, startMs: now };
  }

  #endPhase(open: OpenRound, now: number): void {
    const { phase } = open;
    if (phase === undefined) return;
    open.phase = undefined;
    const ended = { ...phase, endMs: now };
    if (phase.name === 'training') keep(open.trainings, ended);
    else open.attempt?.phases.push(ended);
    for (const { onPhase } of this.#listeners) onPhase?.(ended);
  }

  #endAttempt(open: OpenRound, end: Pick<AttemptSpan, 'outcome' | 'reason'>, now: number): void {
    this.#endPhase(open, now);
    if (open.attempt === undefined) return;
    keep(open.attempts, { ...open.attempt, ...end, endMs: now });
    open.attempt = undefined;
  }

  #end(job: JobId, end: Pick<RoundSpan, 'outcome' | 'own' | 'survivors'>, now: number): void {
    const open = this.#open.get(job);
    if (open === undefined) return;
    const isOwn = end.outcome === 'certified' && end.own;
    this.#endAttempt(open, { outcome: isOwn ? 'certified' : 'left', reason: null }, now);
    this.#open.delete(job);
    const { round, startMs, trainings, attempts } = open;
    const span = { job, round, startMs, endMs: now, ...end, trainings, attempts };
    for (const { onRound } of this.#listeners) onRound?.(span);
  }
}
