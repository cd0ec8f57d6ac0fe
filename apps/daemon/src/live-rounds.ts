import { type LiveRound, ROUND_PHASES, type RoundPhase } from '@starling/control';
import type { JobId } from '@starling/core';
import type { Notice, Slot } from '@starling/rounds';

/** Seconds a round took are averaged over so many of the last ones. */
const PACE_ROUNDS = 5;

/** Of a round that is tried for days; every event carries them. */
const LOST_MAX = 32;

/**
 * What each job's running round looks like, and how long rounds take, folded from what the node
 * tells. Times are this machine's own, for people to look at; nothing depends on them.
 */
export class LiveRounds {
  readonly #jobs = new Map<JobId, Watched>();

  /** @param now milliseconds since 1970 */
  take(job: JobId, notice: Notice, now: number): void {
    const watched = this.#jobs.get(job) ?? { live: null, certifiedAt: [] };
    this.#jobs.set(job, after(watched, notice, now));
  }

  live(job: JobId): LiveRound | null {
    return this.#jobs.get(job)?.live ?? null;
  }

  /** Mean seconds from certificate to certificate of late; null before there are two. */
  secondsPerRound(job: JobId): number | null {
    const times = this.#jobs.get(job)?.certifiedAt ?? [];
    if (times.length < 2) return null;
    return (times.at(-1)! - times[0]!) / 1000 / (times.length - 1);
  }
}

interface Watched {
  readonly live: LiveRound | null;
  /** Of the last rounds. */
  readonly certifiedAt: readonly number[];
}

function after(watched: Watched, notice: Notice, now: number): Watched {
  switch (notice.kind) {
    case 'certified': {
      const certifiedAt = [...watched.certifiedAt, now].slice(-PACE_ROUNDS - 1);
      return { live: null, certifiedAt };
    }
    case 'rolled-back':
    case 'finished':
    case 'cancelled':
      return { ...watched, live: null };
    default:
      return { ...watched, live: liveAfter(watched.live, notice, now) };
  }
}

function liveAfter(live: LiveRound | null, notice: Notice, now: number): LiveRound | null {
  switch (notice.kind) {
    case 'training':
      return inPhase(live?.round === notice.round ? live : blank(notice.round), 'training', now);
    case 'joining': {
      const joining = inPhase(at(live, notice), 'joining', now);
      return { ...joining, roster: [], survivors: null, cells: [], joined: null, chunks: null };
    }
    case 'waiting':
      return live && { ...live, joined: { joined: notice.joined, needed: notice.needed } };
    case 'session':
      return { ...at(live, notice), roster: [...notice.roster], joined: null };
    case 'phase':
      return isRoundPhase(notice.phase)
        ? inPhase(at(live, notice), notice.phase, now)
        : at(live, notice);
    case 'sum': {
      const cells = notice.cells.map((cell) => [...cell]);
      const summed = { ...at(live, notice), survivors: [...notice.survivors], cells };
      return inPhase(summed, 'certify', now);
    }
    case 'convicted': {
      const known = at(live, notice);
      const { peer, reason } = notice;
      const others = known.convicted.filter((each) => each.peer !== peer);
      return { ...known, convicted: [...others, { peer, reason }] };
    }
    case 'retry':
    case 'burnt': {
      const known = at(live, notice);
      const lost = { ...notice.slot, reason: notice.reason };
      return { ...known, lost: [...known.lost, lost].slice(-LOST_MAX) };
    }
    default:
      return live;
  }
}

const blank = (round: number): LiveRound => ({
  ...{ round, restarts: 0, attempt: 0, phase: 'training', phases: [] },
  ...{ joined: null, roster: [], survivors: null, cells: [], convicted: [] },
  ...{ chunks: null, lost: [] },
});

/** The round that a notice tells of, in the attempt that it tells of. */
function at(
  live: LiveRound | null,
  { round, slot }: { readonly round: number; readonly slot: Slot },
): LiveRound {
  const known = live?.round === round ? live : blank(round);
  return { ...known, restarts: slot.restarts, attempt: slot.attempt };
}

/** The phase begins, and the one before it ends; JOINing anew begins the list again. */
function inPhase(live: LiveRound, phase: RoundPhase, now: number): LiveRound {
  const last = live.phases.at(-1);
  if (last?.phase === phase && last.seconds === null) return { ...live, phase };
  const isAgain = live.phases.some((each) => each.phase === phase);
  const ended = (isAgain ? [] : live.phases).map((each) =>
    each.seconds === null ? { ...each, seconds: (now - each.startedAt) / 1000 } : each,
  );
  return { ...live, phase, phases: [...ended, { phase, startedAt: now, seconds: null }] };
}

const isRoundPhase = (phase: string): phase is RoundPhase =>
  (ROUND_PHASES as readonly string[]).includes(phase);
