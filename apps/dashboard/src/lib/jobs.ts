import type { JobEvent, JobView } from './types.ts';

/** Engine phases after which nothing comes. */
const ENDS: ReadonlySet<string> = new Set(['finished', 'cancelled']);

export const isEnded = ({ phase }: Pick<JobView, 'phase'>): boolean => ENDS.has(phase);

/** What a job's badge says, and how it is coloured. */
export interface Badge {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'calm';
}

export function badgeOf({ standing, phase }: Pick<JobView, 'standing' | 'phase'>): Badge {
  if (phase === 'finished') return { text: 'finished', tone: 'good' };
  if (phase === 'cancelled') return { text: 'cancelled', tone: 'calm' };
  switch (standing) {
    case 'participating':
      return { text: 'taking part', tone: 'good' };
    case 'waiting-for-approval':
      return { text: 'waits for approval', tone: 'warn' };
    case 'no-data':
      return { text: 'no fitting data', tone: 'calm' };
    case 'budget-spent':
      return { text: 'budget spent', tone: 'warn' };
    case 'refused':
      return { text: 'refused', tone: 'calm' };
    case 'failed':
      return { text: 'failed', tone: 'bad' };
  }
}

/**
 * Whether its owner is asked. Own jobs are not looked at yet either, for a moment.
 * @param self this peer
 */
export const needsApproval = (job: JobView, self?: string): boolean =>
  job.standing === 'waiting-for-approval' && job.launcher !== self && !isEnded(job);

/** Why this peer does not train in a job that goes on; undefined when it does, or is asked. */
export function staysOut(job: JobView): string | undefined {
  if (isEnded(job) || job.standing === 'participating' || needsApproval(job)) return undefined;
  return job.detail;
}

const rank = (job: JobView): number => {
  if (needsApproval(job)) return 0;
  if (isEnded(job)) return 3;
  return job.standing === 'participating' ? 1 : 2;
};

/** What needs its owner first, then what goes on, then what ended. */
export const inOrder = (jobs: readonly JobView[]): readonly JobView[] =>
  [...jobs].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));

/** Seconds to the last round by the pace of late; null when that is not known. */
export function secondsLeft(job: JobView): number | null {
  if (isEnded(job) || job.secondsPerRound === null) return null;
  return job.secondsPerRound * Math.max(0, job.roundsWanted - job.rounds.length);
}

/** The job as an event leaves it. */
export function afterEvent(job: JobView, event: JobEvent): JobView {
  if (event.view !== undefined) return event.view;
  return event.live === undefined ? job : { ...job, live: event.live };
}

/** Kinds of events that are worth a line in the log, and that screen readers are told. */
export const LASTING: ReadonlySet<string> = new Set([
  ...['certified', 'finished', 'cancelled', 'retry', 'burnt', 'rolled-back', 'convicted'],
  ...['banned', 'budget-spent', 'train-failed', 'withheld', 'refused', 'standing'],
]);
