import { equalBytes } from '@starling/core';
import { agreementKeyFromSeed, combineShares, Secret } from '@starling/crypto';
import type { DecisionValue, MessageOf, RevealedShare } from '@starling/protocol-secagg';
import { toBitmap } from './bitmap.ts';
import { edgeCommitmentOf, edgeSign, isEdgeIntact } from './edges.ts';
import { holderIndex, neighboursOf, shareThreshold } from './graph.ts';
import { heldShares, isShareSound } from './phase-1-shares.ts';
import type { MaskTerm } from './ring/index.ts';
import {
  edgeCommitment,
  edgeSeed,
  ownEdgeSeed,
  selfMaskCommitment,
  selfMaskOf,
} from './secrets.ts';
import {
  broadcast,
  convict,
  type Draft,
  enterPhase,
  journal,
  maskSetOf,
  messageOf,
  nextRevision,
  once,
  own,
  rosterSize,
  type SessionState,
  setTimer,
  survivorsOf,
} from './state.ts';

/**
 * Phase 5: survivors reveal their own self-mask seed and their edges with the dropped; for those
 * who stay silent the others publish shares: of the self-mask seed of a survivor, of the mask key
 * of a dropped member, never both of one. Spec §5.8.
 */
export function enterUnmask(d: Draft): void {
  enterPhase(d, 'unmask');
  const { self, protection } = d.config;
  const survivors = survivorsOf(d);
  setTimer(d, 'unmask/0', 1);
  // It promised silence; the others recover its masks from shares, and it waits for the sum.
  if (d.done.has('abandoned')) return;
  journal(d, { kind: 'reveal', survivors: toBitmap(survivors, rosterSize(d)) });
  if (protection === 'double-masking' && survivors.includes(self)) broadcast(d, reveal(d));
}

/** V∖U: members whose masks are in and whose inputs are not. */
const droppedOf = (d: SessionState): readonly number[] => {
  const survivors = new Set(survivorsOf(d));
  return maskSetOf(d).filter((member) => !survivors.has(member));
};

/** What follows from U once it is decided: worked out once, asked for after every event. */
interface Facts {
  readonly edges: Map<number, readonly number[]>;
  /** UNMASK messages that open all they must, and those that do not. */
  readonly opens: WeakMap<MessageOf<'unmask'>, boolean>;
}
const factsOf = new WeakMap<DecisionValue, Facts>();
function facts(d: SessionState): Facts {
  const decision = d.survivors.decision!;
  const known = factsOf.get(decision) ?? { edges: new Map(), opens: new WeakMap() };
  factsOf.set(decision, known);
  return known;
}

function edgesToReveal(d: SessionState, member: number): readonly number[] {
  const { edges } = facts(d);
  const known = edges.get(member);
  if (known !== undefined) return known;
  const dropped = new Set(droppedOf(d));
  const found = neighboursOf(d.config, member).filter(
    (other) => dropped.has(other) && isEdgeIntact(d, member, other),
  );
  edges.set(member, found);
  return found;
}

function reveal(d: SessionState): MessageOf<'unmask'> {
  const { config } = d;
  const edges = edgesToReveal(d, config.self).flatMap((other) => {
    const seed = ownEdgeSeed(config, other);
    return seed === undefined ? [] : [{ with: other, seed: seed.reveal() }];
  });
  return { kind: 'unmask', selfMask: selfMaskOf(config.seed).reveal(), edges };
}

/**
 * A survivor's own reveal, if it opens all the commitments it must; a wrong one counts as silence.
 */
function directReveal(d: SessionState, member: number): MessageOf<'unmask'> | undefined {
  const message = messageOf(d, 'unmask', member);
  const bundle = messageOf(d, 'keyshare', member);
  if (message === undefined || bundle === undefined) return undefined;
  const { opens } = facts(d);
  if (!opens.has(message)) opens.set(message, opensAll(d, member, message, bundle));
  return opens.get(message) ? message : undefined;
}

function opensAll(
  d: SessionState,
  member: number,
  message: MessageOf<'unmask'>,
  bundle: MessageOf<'keyshare'>,
): boolean {
  const opened = selfMaskCommitment(d.config, message.selfMask);
  if (!equalBytes(opened, bundle.selfMaskCommitment)) return false;
  return edgesToReveal(d, member).every((other) => {
    const edge = message.edges.find((entry) => entry.with === other);
    const commitment = edgeCommitmentOf(d, member, other);
    return edge && commitment && equalBytes(edgeCommitment(d.config, edge.seed), commitment);
  });
}

/** Publishes this peer's shares for the silent, once they have had their time or are gone. */
export function sendShares(d: Draft): void {
  if (d.done.has('abandoned')) return;
  const late = d.expired.has('unmask/0');
  const silent = survivorsOf(d).filter(
    (m) => (late || d.unreachable.has(m)) && directReveal(d, m) === undefined,
  );
  const lost = silent.length === 0 ? [] : droppedOf(d);
  const revision = nextRevision(d, 'shares');
  const items: RevealedShare[] = [];
  if (revision === undefined) return;
  const add = (kind: RevealedShare['kind'], of: number) => {
    const share = once(d, `share/${kind}/${of}`) ? heldShares(d, of) : undefined;
    if (share)
      items.push({ kind, of, share: share[kind === 'self-mask' ? 'selfMask' : 'maskKey'] });
  };
  for (const of of silent) add('self-mask', of);
  for (const of of lost) add('mask-key', of);
  if (d.config.canary === 'never-both') for (const of of silent) add('mask-key', of);
  if (items.length > 0) broadcast(d, { kind: 'shares', revision, items });
}

/** A dealer's secret from the sound shares of its holders, once there are enough. */
function recover(d: Draft, kind: RevealedShare['kind'], of: number): Uint8Array | undefined {
  const name = `${kind}/${of}`;
  const known = d.recovered.get(name);
  const revealed = d.shares.get(name);
  const needed = shareThreshold(d.config);
  if (known !== undefined || revealed === undefined || revealed.size < needed) return known;
  const points: { x: number; share: Uint8Array }[] = [];
  for (const [holder, share] of revealed) {
    if (!isShareSound(d, kind, of, holder, share)) continue;
    points.push({ x: holderIndex(d.config, of, holder) + 1, share });
    if (points.length < needed) continue;
    const secret = combineShares(points, needed);
    own(d, 'recovered').set(name, secret);
    return secret;
  }
  return undefined;
}

/** A survivor's self-mask seed, from itself or from shares; `inconsistent` when it lied. */
function selfMaskOpened(d: Draft, member: number): Uint8Array | 'inconsistent' | undefined {
  const direct = directReveal(d, member);
  if (direct !== undefined) return direct.selfMask;
  const recovered = recover(d, 'self-mask', member);
  if (recovered === undefined) return undefined;
  const commitment = messageOf(d, 'keyshare', member)!.selfMaskCommitment;
  if (equalBytes(selfMaskCommitment(d.config, recovered), commitment)) return recovered;
  convict(d, member, { reason: 'inconsistent-shares' });
  return 'inconsistent';
}

export type Opened<T> = T | 'missing' | 'inconsistent';

/** The self-mask seeds of all survivors, in order. */
export function selfMasksOpened(d: Draft): Opened<readonly Uint8Array[]> {
  const masks: Uint8Array[] = [];
  for (const member of survivorsOf(d)) {
    const mask = selfMaskOpened(d, member);
    if (mask === undefined || mask === 'inconsistent') return mask ?? 'missing';
    masks.push(mask);
  }
  return masks;
}

/** The masks that are left in the sum: the survivors' own, and their edges with the dropped. */
export function remainingMasks(
  d: Draft,
  selfMasks: readonly Uint8Array[],
): Opened<readonly MaskTerm[]> {
  const terms: MaskTerm[] = [];
  for (const [i, member] of survivorsOf(d).entries()) {
    terms.push({ seed: new Secret(selfMasks[i]!), sign: -1 });
    const direct = directReveal(d, member);
    for (const other of edgesToReveal(d, member)) {
      const seed =
        direct?.edges.find((edge) => edge.with === other)?.seed ?? recoverEdge(d, other, member);
      if (seed === undefined || seed === 'inconsistent') return seed ?? 'missing';
      terms.push({ seed: new Secret(seed), sign: edgeSign(member, other) === 1 ? -1 : 1 });
    }
  }
  return terms;
}

/**
 * The edge between a dropped member and a silent survivor, from shares of the dropped one's key.
 */
function recoverEdge(
  d: Draft,
  dropped: number,
  survivor: number,
): Uint8Array | 'inconsistent' | undefined {
  const seed = recover(d, 'mask-key', dropped);
  if (seed === undefined) return undefined;
  const key = agreementKeyFromSeed(seed);
  const expected = d.config.members[dropped]!.hello.maskKey;
  if (equalBytes(key.publicKey, expected)) {
    return edgeSeed(d.config, dropped, key, survivor)?.reveal() ?? 'inconsistent';
  }
  convict(d, dropped, { reason: 'inconsistent-shares' });
  return 'inconsistent';
}
