import type { Body } from '@starling/protocol-rounds';
import type { SecaggMessage } from '@starling/protocol-secagg';
import {
  type Adversary,
  flipped,
  messageIn,
  resealed,
  rewriting,
  sealedMessage,
  type Wire,
} from './wire.ts';

/** Tells one half of the swarm something else than the other. */
const twoFaced =
  (other: (message: SecaggMessage) => SecaggMessage | undefined): Adversary =>
  (wire: Wire) =>
    rewriting(wire, (envelope) => {
      const message = messageIn(envelope);
      const second = message && other(message);
      if (second === undefined) return [envelope];
      return { halves: [envelope, sealedMessage(wire, envelope, second)] };
    });

const otherVote = (value: Uint8Array | null) => (value === null ? new Uint8Array(32) : null);

export const twoPrevotes = twoFaced((message) =>
  message.kind === 'prevote' ? { ...message, value: otherVote(message.value) } : undefined,
);
export const twoPrecommits = twoFaced((message) =>
  message.kind === 'precommit' ? { ...message, value: otherVote(message.value) } : undefined,
);
export const twoKeyshares = twoFaced((message) =>
  message.kind === 'keyshare'
    ? { ...message, selfMaskCommitment: flipped(message.selfMaskCommitment) }
    : undefined,
);
export const twoCommits = twoFaced((message) =>
  message.kind === 'commit' ? { ...message, root: flipped(message.root) } : undefined,
);

const twoBodies =
  (other: (body: Body, wire: Wire) => Body | undefined): Adversary =>
  (wire) =>
    rewriting(wire, (envelope) => {
      const second = other(envelope.body, wire);
      if (second === undefined) return [envelope];
      return { halves: [envelope, resealed(wire, envelope, second)] };
    });

export const twoJoins = twoBodies((body) =>
  body.kind === 'join' ? { ...body, weight: 1 - body.weight } : undefined,
);

/** The second roster is one short: in most runs that leaves it as sound as the first. */
export const twoRosters = twoBodies((body, { prng }) => {
  if (body.kind !== 'roster') return undefined;
  const out = prng.below(body.joins.length);
  return { ...body, joins: body.joins.filter((_, i) => i !== out) };
});

/** A proposer that leaves out as many JOINs as there may be liars, but never its own. */
export const censorsJoins: Adversary = (wire) => {
  const own = new Set<string>();
  return rewriting(wire, (envelope) => {
    const { body, hash } = envelope;
    if (body.kind === 'join') own.add(hash);
    if (body.kind !== 'roster') return [envelope];
    const joins = [...body.joins];
    for (let left = Math.floor((joins.length - 1) / 3); left > 0; left--) {
      const others = joins.filter((join) => !own.has(join));
      joins.splice(joins.indexOf(wire.prng.pick(others)), 1);
    }
    return [resealed(wire, envelope, { ...body, joins })];
  });
};
