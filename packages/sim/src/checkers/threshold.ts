import { type PeerId, toHex } from '@starling/core';
import { threshold } from '@starling/protocol-secagg';
import { attemptName, type Checker } from './checker.ts';
import type { Rosters } from './rosters.ts';

/**
 * Invariant 4: nothing is unmasked before a quorum of the roster has precommitted one survivor set.
 */
export function belowThreshold(rosters: Rosters, isDishonest: (peer: PeerId) => boolean): Checker {
  const precommits = new Map<string, Set<PeerId>>();
  const largest = new Map<string, number>();
  return {
    name: 'below-threshold',
    observe(observation) {
      if (observation.kind !== 'sent' || observation.message === undefined) return undefined;
      const { by, envelope, message } = observation;
      const roster = rosters.of(envelope);
      // Of many cells each has its own decision.
      const attempt = `${attemptName(envelope)}/${roster?.[0]}`;
      if (
        observation.honest &&
        message.kind === 'precommit' &&
        message.decision === 'survivors' &&
        message.value
      ) {
        const key = `${attempt}/${message.view}/${toHex(message.value)}`;
        const who = (precommits.get(key) ?? new Set()).add(by);
        precommits.set(key, who);
        largest.set(attempt, Math.max(largest.get(attempt) ?? 0, who.size));
      }
      const opens = message.kind === 'unmask' || message.kind === 'shares';
      if (!observation.honest || !opens) return undefined;
      // A dishonest peer's messages may travel by pulls only, unseen here; its vote is assumed.
      if (roster === undefined) return undefined;
      const needed =
        threshold(roster.length) - roster.filter((peer) => !peer || isDishonest(peer)).length;
      const votes = largest.get(attempt) ?? 0;
      if (votes >= needed) return undefined;
      return `${by} sent ${message.kind} with ${votes} precommits in a roster of ${roster.length}`;
    },
  };
}
