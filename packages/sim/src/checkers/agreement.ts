import type { PeerId } from '@starling/core';
import { statementHash } from '@starling/protocol-rounds';
import type { Checker } from './checker.ts';

/**
 * Invariant 3: peers that finish the same attempt of a round agree on its contributors and on the
 * new state. Two attempts on the two sides of a partition may both be certified: that is a fork,
 * which the fork choice mends and the end of the run checks.
 */
export function agreement(): Checker {
  const certified = new Map<string, { hash: string; by: PeerId }>();
  return {
    name: 'agreement',
    observe(observation) {
      if (observation.kind !== 'notice' || observation.notice.kind !== 'certified')
        return undefined;
      const { statement } = observation.notice.certificate;
      const { parent, restarts, attempt, roster } = statement;
      const key = `${parent}/${restarts}/${attempt}/${roster.join(',')}`;
      const hash = statementHash(statement);
      const before = certified.get(key);
      certified.set(key, before ?? { hash, by: observation.by });
      if (before === undefined || before.hash === hash) return undefined;
      return `${observation.by} and ${before.by} certified different results of one attempt`;
    },
  };
}
