import type { PeerId } from '@starling/core';
import { attemptName, type Checker } from './checker.ts';
import type { Rosters } from './rosters.ts';

type Kind = 'self-mask' | 'mask-key';

/**
 * Invariant 1: in one attempt nobody honest reveals both kinds of material for the same peer, and
 * no two honest peers do so together. Whoever had both could read that peer's update.
 */
export function neverBoth(rosters: Rosters): Checker {
  const revealed = new Map<string, { kind: Kind; by: PeerId }>();
  return {
    name: 'never-both',
    observe(observation) {
      if (observation.kind !== 'sent' || !observation.honest) return undefined;
      if (observation.message === undefined) return undefined;
      const { by, envelope, message } = observation;
      const roster = rosters.of(envelope);
      const items: { of: PeerId; kind: Kind }[] = [];
      if (message.kind === 'unmask') items.push({ of: by, kind: 'self-mask' });
      if (message.kind === 'shares') {
        for (const item of message.items) {
          const of = roster?.[item.of];
          if (of !== undefined) items.push({ of, kind: item.kind });
        }
      }
      for (const { of, kind } of items) {
        const key = `${attemptName(envelope)}/${of}`;
        const before = revealed.get(key);
        if (before !== undefined && before.kind !== kind) {
          return `${by} revealed ${kind} of ${of}, ${before.by} had revealed ${before.kind}`;
        }
        revealed.set(key, { kind, by });
      }
      return undefined;
    },
  };
}
