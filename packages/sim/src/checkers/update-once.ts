import type { PeerId } from '@starling/core';
import { slotKey } from '@starling/rounds';
import type { Checker } from './checker.ts';

/**
 * Invariant of design decision 9b: an update whose masked form has left a peer is used in another
 * attempt only after an ABORT certificate or 2f + 1 ABANDONs of the first. The sums of two
 * different survivor sets would else differ by single updates.
 */
export function updateOnce(): Checker {
  interface Use {
    readonly slot: string;
    readonly update: string;
    committed: boolean;
    released: boolean;
  }
  const uses = new Map<PeerId, Use[]>();
  return {
    name: 'update-once',
    observe(observation) {
      const { by } = observation;
      const mine = uses.get(by) ?? [];
      uses.set(by, mine);
      if (observation.kind === 'sent') {
        if (!observation.honest || observation.message?.kind !== 'commit') return undefined;
        const last = mine.at(-1);
        if (last === undefined) return undefined;
        last.committed = true;
        const open = mine.find(
          (use) => use !== last && use.update === last.update && use.committed && !use.released,
        );
        if (open === undefined) return undefined;
        return `${by} used update ${last.update} in ${last.slot} and before in ${open.slot}`;
      }
      if (observation.kind !== 'notice') return undefined;
      const { notice } = observation;
      if (notice.kind === 'session') {
        const slot = `round ${notice.round} slot ${slotKey(notice.slot)}`;
        mine.push({ slot, update: notice.update, committed: false, released: false });
      }
      if (notice.kind === 'retry' && notice.proven) {
        const last = mine.at(-1);
        if (last !== undefined) last.released = true;
      }
      return undefined;
    },
  };
}
