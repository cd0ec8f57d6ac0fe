import { type PeerId, toHex } from '@starling/core';
import { threshold } from '@starling/protocol-secagg';
import { attemptName, type Checker } from './checker.ts';
import type { Rosters } from './rosters.ts';

/** Invariant 4: nothing is unmasked before a quorum of the roster has precommitted one survivor set. */
export function belowThreshold(rosters: Rosters): Checker {
  const precommits = new Map<string, Set<PeerId>>();
  const largest = new Map<string, number>();
  return {
    name: 'below-threshold',
    observe(observation) {
      if (observation.kind !== 'sent' || observation.message === undefined) return undefined;
      const { by, envelope, message } = observation;
      const attempt = attemptName(envelope);
      if (message.kind === 'precommit' && message.decision === 'survivors' && message.value) {
        const key = `${attempt}/${message.view}/${toHex(message.value)}`;
        const who = (precommits.get(key) ?? new Set()).add(by);
        precommits.set(key, who);
        largest.set(attempt, Math.max(largest.get(attempt) ?? 0, who.size));
      }
      if (message.kind !== 'unmask' && message.kind !== 'shares') return undefined;
      const size = rosters.of(envelope)?.length ?? Number.POSITIVE_INFINITY;
      const votes = largest.get(attempt) ?? 0;
      if (size !== Number.POSITIVE_INFINITY && votes >= threshold(size)) return undefined;
      return `${by} sent ${message.kind} with ${votes} precommits in a roster of ${size}`;
    },
  };
}
