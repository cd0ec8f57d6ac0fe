import type { LiveRound, RoundPhase } from './types.ts';

/** Phases of a round as people read them; together they are in the order in which they come. */
const LABELS: Readonly<Record<RoundPhase, readonly [name: string, what: string]>> = {
  training: ['Training', 'each peer trains on its own data'],
  joining: ['Joining', 'peers with an update find each other'],
  shares: ['Key shares', 'keys are shared, so that those who drop can be made up for'],
  chunks: ['Masked chunks', 'masked updates go to the owners of their chunks'],
  decide: ['Survivors', 'one decision on who is in the sum'],
  sums: ['Sums', 'owners add up their chunks'],
  unmask: ['Unmasking', 'masks of the sum are taken off'],
  verify: ['Verification', 'tags prove that the sums are right'],
  confirm: ['Confirmation', 'peers confirm what they verified'],
  collect: ['Collection', 'chunks of the sum come together'],
  certify: ['Certificate', 'a quorum signs the new model'],
};

const ORDER = Object.keys(LABELS) as readonly RoundPhase[];

export interface Step {
  readonly phase: RoundPhase;
  readonly name: string;
  readonly what: string;
  readonly state: 'done' | 'now' | 'ahead' | 'skipped';
  /** So far, for the one that goes on. */
  readonly seconds: number | null;
}

/** @param now milliseconds since 1970 */
export function stepsOf(live: LiveRound, now: number): readonly Step[] {
  const at = ORDER.indexOf(live.phase);
  return ORDER.map((phase, i) => {
    const [name, what] = LABELS[phase];
    const seen = live.phases.findLast((each) => each.phase === phase);
    const running = seen === undefined ? null : Math.max(0, (now - seen.startedAt) / 1000);
    const seconds = seen?.seconds ?? running;
    const past = seen === undefined ? 'skipped' : 'done';
    const state = i === at ? 'now' : i < at ? past : 'ahead';
    return { phase, name, what, state, seconds: state === 'ahead' ? null : seconds };
  });
}

export interface Participant {
  readonly peer: string;
  readonly fate: 'in the sum' | 'dropped' | 'convicted' | 'in the round';
  /** Number of its cell, from 1; undefined with one cell, and for those in none. */
  readonly cell: number | undefined;
  /** Why it was convicted. */
  readonly reason: string | undefined;
}

/** Everybody of the roster, and what became of them. */
export function participantsOf(live: LiveRound): readonly Participant[] {
  const { roster, survivors, cells, convicted } = live;
  const survived = survivors === null ? undefined : new Set(survivors);
  return roster.map((peer) => {
    const verdict = convicted.find((each) => each.peer === peer);
    const cell = cells.length > 1 ? cells.findIndex((each) => each.includes(peer)) + 1 : 0;
    const fate =
      survived === undefined ? 'in the round' : survived.has(peer) ? 'in the sum' : 'dropped';
    return {
      peer,
      fate: verdict === undefined ? fate : 'convicted',
      cell: cell === 0 ? undefined : cell,
      reason: verdict?.reason,
    };
  });
}
