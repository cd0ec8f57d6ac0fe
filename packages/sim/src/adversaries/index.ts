import * as cells from './cells.ts';
import * as equivocation from './equivocation.ts';
import * as lies from './lies.ts';
import * as noise from './noise.ts';
import * as owners from './owners.ts';
import * as silence from './silence.ts';
import type { Adversary } from './wire.ts';

export { type Adversary, envelopeIn, type Wire } from './wire.ts';

/** What a dishonest peer does on the wire; its own code runs as usual behind it. */
const ZOO = {
  'mute-after-join': silence.muteAfterJoin,
  'drops-chunks': silence.dropsChunks,
  'late-chunks': silence.lateChunks,
  'slow-loris': silence.slowLoris,
  'silent-at-unmask': silence.silentAtUnmask,
  'silent-after-unmask': silence.silentAfterUnmask,
  garbage: noise.garbage,
  'corrupt-chunks': noise.corruptChunks,
  replay: noise.replay,
  'flood-joins': noise.floodJoins,
  'complaint-spam': noise.complaintSpam,
  'wrong-final': noise.wrongFinal,
  'two-prevotes': equivocation.twoPrevotes,
  'two-precommits': equivocation.twoPrecommits,
  'two-keyshares': equivocation.twoKeyshares,
  'two-commits': equivocation.twoCommits,
  'two-joins': equivocation.twoJoins,
  'two-rosters': equivocation.twoRosters,
  'censors-joins': equivocation.censorsJoins,
  'undecryptable-shares': lies.undecryptableShares,
  'wrong-share-commitments': lies.wrongShareCommitments,
  'wrong-self-mask-commitment': lies.wrongSelfMaskCommitment,
  'wrong-edge-commitments': lies.wrongEdgeCommitments,
  'wrong-unmask': lies.wrongUnmask,
  'wrong-edge-reveals': lies.wrongEdgeReveals,
  'wrong-shares': lies.wrongShares,
  'wrong-tags': lies.wrongTags,
  'wrong-audits': lies.wrongAudits,
  'wrong-plain-sums': lies.wrongPlainSums,
  'wrong-sum-by-one': owners.wrongSumByOne,
  'wrong-sum-by-half-ring': owners.wrongSumByHalfRing,
  'serves-other-bytes': owners.servesOtherBytes,
  'opens-other-chunks': owners.opensOtherChunks,
  'withheld-reveal': cells.withheldReveal,
  'wrong-reveal': cells.wrongReveal,
  'chooses-cells': cells.choosesCells,
  'wrong-nomination': cells.wrongNomination,
  'wrong-opened': cells.wrongOpened,
} as const satisfies Readonly<Record<string, Adversary>>;

export type Behaviour = keyof typeof ZOO;
export const BEHAVIOURS = Object.keys(ZOO) as readonly Behaviour[];
export const adversaryOf = (behaviour: Behaviour): Adversary => ZOO[behaviour];
