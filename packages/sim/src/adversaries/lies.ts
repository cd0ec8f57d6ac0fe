import type { Dealt, MessageOf } from '@starling/protocol-secagg';
import { type Adversary, flipped, lying } from './wire.ts';

const deals = (
  change: (dealt: Dealt) => Dealt,
): ((message: MessageOf<'keyshare'>) => MessageOf<'keyshare'>) => {
  return (message) => ({ ...message, dealt: message.dealt.map(change) });
};

export const undecryptableShares: Adversary = lying(
  'keyshare',
  deals((dealt) => ({ ...dealt, sealed: flipped(dealt.sealed) })),
);

/** Commits to other shares than it deals. */
export const wrongShareCommitments: Adversary = lying(
  'keyshare',
  deals((dealt) => ({ ...dealt, selfMaskCommitment: flipped(dealt.selfMaskCommitment) })),
);

/**
 * Another self-mask than its shares open. The others decide on this bundle, its own code knows only
 * the honest one: it is in V, masks nothing, and so is not among the survivors.
 */
export const wrongSelfMaskCommitment: Adversary = lying('keyshare', (message) => ({
  ...message,
  selfMaskCommitment: flipped(message.selfMaskCommitment),
}));

/** Its edges look broken to all others, who put no masks on them. */
export const wrongEdgeCommitments: Adversary = lying(
  'keyshare',
  deals((dealt) => ({ ...dealt, edgeCommitment: flipped(dealt.edgeCommitment) })),
);

export const wrongUnmask: Adversary = lying('unmask', (message) => ({
  ...message,
  selfMask: flipped(message.selfMask),
}));

export const wrongEdgeReveals: Adversary = lying('unmask', (message) => ({
  ...message,
  edges: message.edges.map((edge) => ({ ...edge, seed: flipped(edge.seed) })),
}));

export const wrongShares: Adversary = lying('shares', (message) => ({
  ...message,
  items: message.items.map((item) => ({ ...item, share: flipped(item.share) })),
}));

/** Another bit for each liar: two of the same one may cancel out, and then nothing is wrong. */
export const wrongTags: Adversary = (wire) => {
  const bit = wire.prng.below(56);
  return lying('tags', (message) => ({
    ...message,
    tags: message.tags.map((tag) => flipped(tag, bit)),
  }))(wire);
};

/** What is left of a chunk is something else, it says, which it cannot serve. */
export const wrongPlainSums: Adversary = lying('plain-sums', (message) => ({
  ...message,
  sums: message.sums.map(({ chunk, hash }) => ({ chunk, hash: flipped(hash) })),
}));

export const wrongAudits: Adversary = lying('audit', (message) => ({
  ...message,
  items: message.items.map((item) => ({ ...item, tag: flipped(item.tag) })),
}));
