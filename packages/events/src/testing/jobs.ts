import type { SeenJob, SeenRound } from '../from-job.ts';

export const JOB = 'ab'.repeat(32);

/** A round of a chain; `salt` tells forks apart. */
export const seenRound = (round: number, salt = 'a'): SeenRound => ({
  ...{ round, attempt: 0, restarts: 0, participants: 5, survivors: 4, examples: 10 },
  ...{ loss: 1 / round, accuracy: 0.5, stateHash: hashOf(`${round}${salt}`, '0') },
  certificate: hashOf(`${round}${salt}`, 'f'),
});

export function seenJob(rounds: readonly SeenRound[], more: Partial<SeenJob> = {}): SeenJob {
  return {
    ...{ job: JOB, name: 'digits', launcher: 'peer-a', standing: 'participating', detail: '' },
    ...{ phase: 'training', length: rounds.length, at: (index: number) => rounds[index]! },
    ...more,
  };
}

const hashOf = (text: string, fill: string): string =>
  [...text]
    .map((letter) => letter.charCodeAt(0).toString(16))
    .join('')
    .padEnd(64, fill);
