import type { EventBody } from './event-schema.ts';
import type { NamedJob } from './from-notice.ts';

/** One certificate of a job's chain, as far as events tell it. */
export interface SeenRound {
  readonly round: number;
  readonly attempt: number;
  readonly restarts: number;
  readonly certificate: string;
  readonly stateHash: string;
  readonly participants: number;
  readonly survivors: number;
  readonly examples: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
}

/** A job as this peer has it durably. */
export interface SeenJob extends NamedJob {
  readonly launcher: string;
  /** Null while it is not known, as after a start. */
  readonly standing: string | null;
  readonly detail: string;
  /** `finished` and `cancelled` end it. */
  readonly phase: string;
  /** Certificates of its chain. */
  readonly length: number;
  /** The certificate at an index: chains are long, and mostly told already. */
  readonly at: (index: number) => SeenRound;
}

/** What has been told of a job. */
export interface Mark {
  readonly standing: string | null;
  /** How often its standing changed: each change is an event of its own. */
  readonly changes: number;
  /** How often it was rolled back: what is certified again after that is told again. */
  readonly forks: number;
  /** Rounds told. */
  readonly rounds: number;
  /** Certificates of the last of them, the newest last: where a chain parts from what was told. */
  readonly recent: readonly string[];
  readonly ended: boolean;
}

export const NOTHING_TOLD: Mark = {
  ...{ standing: null, changes: 0, forks: 0, rounds: 0, recent: [], ended: false },
};
const RECENT_MAX = 64;

/**
 * What a job's durable state has that was not told, and the mark after it is. Told again after a
 * crash the events are the same, identities included.
 */
export function changesOf(
  mark: Mark,
  seen: SeenJob,
): { readonly events: readonly EventBody[]; readonly mark: Mark } {
  const { job, name } = seen;
  const named = { job, name };
  const events: EventBody[] = [];
  const standing = seen.standing ?? mark.standing;
  if (standing !== null && standing !== mark.standing) {
    events.push(standingEvent(mark, seen, standing));
  }
  const common = commonRounds(mark, seen);
  const forks = mark.forks + (common < mark.rounds ? 1 : 0);
  if (common < mark.rounds) {
    const identity = `${job}/rolled-back/${forks}`;
    const data = { ...named, toRound: common };
    events.push({ type: 'starling.job.rolled-back', data, identity });
  }
  const fresh = Array.from({ length: seen.length - common }, (_, i) => seen.at(common + i));
  for (const round of fresh) {
    const identity = `${job}/certified/${round.certificate}/${forks}`;
    events.push({ type: 'starling.round.certified', data: { ...named, ...round }, identity });
  }
  const isOver = seen.phase === 'finished' || seen.phase === 'cancelled';
  if (isOver && !mark.ended) events.push(endEvent(seen));
  const stale = mark.rounds - common;
  const kept = mark.recent.slice(0, Math.max(0, mark.recent.length - stale));
  return {
    events,
    mark: {
      standing,
      changes: mark.changes + (standing === mark.standing ? 0 : 1),
      forks,
      rounds: seen.length,
      recent: [...kept, ...fresh.map(({ certificate }) => certificate)].slice(-RECENT_MAX),
      ended: isOver,
    },
  };
}

function standingEvent(
  mark: Mark,
  { job, name, launcher, detail }: SeenJob,
  to: string,
): EventBody {
  const data = { job, name, launcher, from: mark.standing, to, reason: detail };
  return { type: 'starling.job.standing', data, identity: `${job}/standing/${mark.changes}` };
}

function endEvent({ job, name, phase, length, at }: SeenJob): EventBody {
  const last = length === 0 ? undefined : at(length - 1);
  const data = { job, name, rounds: length, stateHash: last?.stateHash ?? null };
  const identity = `${job}/${phase}/${last?.certificate ?? ''}`;
  return phase === 'finished'
    ? { type: 'starling.job.finished', data, identity }
    : { type: 'starling.job.cancelled', data, identity };
}

/**
 * Rounds of the chain that have been told. Where nothing is left of what the mark remembers, the
 * whole chain is told anew: what lies further back cannot be compared.
 */
function commonRounds({ rounds, recent }: Mark, { length, at }: SeenJob): number {
  const first = rounds - recent.length;
  for (let told = Math.min(rounds, length); told > first; told--) {
    if (at(told - 1).certificate === recent[told - 1 - first]) return told;
  }
  return 0;
}
