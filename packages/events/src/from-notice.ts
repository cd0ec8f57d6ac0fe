import type { Notice } from '@starling/rounds';
import type { EventBody } from './event-schema.ts';

/** The job that a notice is about, as events name it. */
export interface NamedJob {
  readonly job: string;
  readonly name: string;
}

/**
 * The event of a notice. None for what is only of the moment (progress, waiting), nor for what the
 * chain shows (`certified`, `finished` and the like): `changesOf` derives that, so that it is not
 * lost with the process.
 */
export function fromNotice(named: NamedJob, notice: Notice): EventBody | undefined {
  switch (notice.kind) {
    case 'training':
      return { type: 'starling.round.training', data: { ...named, round: notice.round } };
    case 'joining':
      return { type: 'starling.round.joining', data: { ...named, ...placeOf(notice) } };
    case 'session':
      return {
        type: 'starling.round.started',
        data: { ...named, ...placeOf(notice), roster: [...notice.roster] },
      };
    case 'phase':
      return {
        type: 'starling.round.phase',
        data: { ...named, ...placeOf(notice), phase: notice.phase },
      };
    case 'sum':
      return {
        type: 'starling.round.summed',
        data: { ...named, ...placeOf(notice), survivors: [...notice.survivors] },
      };
    default:
      return fromTrouble(named, notice);
  }
}

function fromTrouble(named: NamedJob, notice: Notice): EventBody | undefined {
  switch (notice.kind) {
    case 'retry': {
      const { reason, proven } = notice;
      const data = { ...named, ...placeOf(notice), reason, proven };
      return { type: 'starling.round.retried', data };
    }
    case 'burnt': {
      const data = { ...named, ...placeOf(notice), reason: notice.reason };
      return { type: 'starling.round.burnt', data };
    }
    case 'withheld': {
      const { round, reason } = notice;
      return { type: 'starling.round.withheld', data: { ...named, round, reason } };
    }
    case 'convicted': {
      const { peer, reason } = notice;
      const data = { ...named, ...placeOf(notice), peer, reason };
      return { type: 'starling.peer.convicted', data };
    }
    case 'banned': {
      const { peer, reason, until } = notice;
      return { type: 'starling.peer.banned', data: { ...named, peer, reason, untilRound: until } };
    }
    case 'budget-spent': {
      const { round, reason } = notice;
      return { type: 'starling.privacy.budget-spent', data: { ...named, round, reason } };
    }
    case 'train-failed':
      return { type: 'starling.job.training-failed', data: { ...named, reason: notice.reason } };
    default:
      return undefined;
  }
}

type Placed = Extract<Notice, { readonly slot: unknown }>;
const placeOf = ({ round, slot }: Placed) => ({
  ...{ round, attempt: slot.attempt, restarts: slot.restarts },
});
