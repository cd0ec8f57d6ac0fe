import { decodeCanonical, equalBytes, LIMITS } from '@starling/core';
import { agreementKeyFromSeed, combineShares, open, Secret } from '@starling/crypto';
import {
  type MessageOf,
  type RevealedShare,
  type SealedShares,
  sealedSharesCodec,
} from '@starling/protocol-secagg';
import { toBitmap } from './bitmap.ts';
import { edgeSign, isEdgeIntact } from './edges.ts';
import { splitOwn } from './phase-1-shares.ts';
import { fetchSums, isEverySumHere } from './phase-4-sums.ts';
import type { MaskTerm } from './ring/index.ts';
import {
  edgeCommitment,
  edgeSeed,
  encryptionKeyOf,
  maskKeyOf,
  sealingKey,
  selfMaskCommitment,
  selfMaskOf,
  shareCommitment,
} from './secrets.ts';
import {
  broadcast,
  type Draft,
  enterPhase,
  journal,
  maskSetOf,
  messageOf,
  once,
  rosterSize,
  type SessionState,
  survivorsOf,
  thresholdOf,
} from './state.ts';

/**
 * Phase 5: survivors reveal their own self-mask seed and their edges with the dropped; for those
 * who stay silent the others publish shares: of the self-mask seed of a survivor, of the mask key
 * of a dropped member, never both of one. Spec §5.8.
 */
export function enterUnmask(d: Draft): void {
  enterPhase(d, 'unmask');
  const { self, protection, timers } = d.config;
  const survivors = survivorsOf(d);
  d.effects.push({ kind: 'set-timer', timer: 'unmask/0', afterMs: timers.phaseMs });
  // It promised silence; the others recover its masks from shares, and it waits for the sum.
  if (d.done.has('abandoned')) return;
  journal(d, { kind: 'reveal', survivors: toBitmap(survivors, rosterSize(d)) });
  if (protection === 'double-masking' && survivors.includes(self)) broadcast(d, reveal(d));
}

/** V∖U: members whose masks are in and whose inputs are not. */
const droppedOf = (d: SessionState): readonly number[] => {
  const survivors = survivorsOf(d);
  return maskSetOf(d).filter((member) => !survivors.includes(member));
};

const edgesToReveal = (d: SessionState, member: number): readonly number[] =>
  droppedOf(d).filter((other) => isEdgeIntact(d, member, other));

function reveal(d: SessionState): MessageOf<'unmask'> {
  const { config } = d;
  const key = maskKeyOf(config.seed);
  const edges = edgesToReveal(d, config.self).flatMap((other) => {
    const seed = edgeSeed(config, config.self, key, other);
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
  const opened = selfMaskCommitment(d.config, message.selfMask);
  if (!equalBytes(opened, bundle.selfMaskCommitment)) return undefined;
  const opens = edgesToReveal(d, member).every((other) => {
    const edge = message.edges.find((entry) => entry.with === other);
    const commitment = bundle.dealt[other]!.edgeCommitment;
    return edge && equalBytes(edgeCommitment(d.config, edge.seed), commitment);
  });
  return opens ? message : undefined;
}

const silentSurvivors = (d: SessionState): readonly number[] =>
  survivorsOf(d).filter((member) => directReveal(d, member) === undefined);

/** Publishes this peer's shares for the silent, once they have had their time or are gone. */
export function sendShares(d: Draft): void {
  if (d.done.has('abandoned')) return;
  const round = [...Array(8).keys()].filter((i) => d.expired.has(`unmask/${i}`)).length;
  const silent = silentSurvivors(d).filter((m) => round > 0 || d.unreachable.has(m));
  const lost = silent.length === 0 ? [] : droppedOf(d);
  const revision = [...Array(8).keys()].find((i) => !d.inbox.has(`shares/${i}/${d.config.self}`));
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

/** The two shares that `dealer` sealed for this peer, if they open their commitments. */
function heldShares(d: SessionState, dealer: number): SealedShares | undefined {
  const { config } = d;
  if (dealer === config.self) return ownShares(d);
  const entry = messageOf(d, 'keyshare', dealer)?.dealt[config.self];
  const key = sealingKey(config, encryptionKeyOf(config.seed), dealer, config.self);
  const plain = entry && key && open(key, entry.sealed, config.rosterDigest);
  if (!plain) return undefined;
  try {
    const shares = decodeCanonical(sealedSharesCodec, plain, LIMITS.controlBytesMax);
    const sound =
      isShareSound(d, 'self-mask', dealer, config.self, shares.selfMask) &&
      isShareSound(d, 'mask-key', dealer, config.self, shares.maskKey);
    return sound ? shares : undefined;
  } catch {
    return undefined;
  }
}

/** A dropped member that is alive counts as a holder of its own mask key. */
function ownShares(d: SessionState): SealedShares {
  const { self } = d.config;
  const [selfMask, maskKey] = [splitOwn(d, 'self-mask'), splitOwn(d, 'mask-key')];
  return { selfMask: selfMask[self]!, maskKey: maskKey[self]! };
}

function isShareSound(
  d: SessionState,
  kind: RevealedShare['kind'],
  dealer: number,
  holder: number,
  share: Uint8Array,
): boolean {
  const entry = messageOf(d, 'keyshare', dealer)?.dealt[holder];
  if (entry === undefined) return false;
  const commitment = kind === 'self-mask' ? entry.selfMaskCommitment : entry.maskKeyCommitment;
  return equalBytes(shareCommitment(d.config, kind, dealer, holder, share), commitment);
}

/** t sound shares of one kind put together; undefined while there are fewer. */
function recover(d: SessionState, kind: RevealedShare['kind'], of: number): Uint8Array | undefined {
  const shares = new Map<number, Uint8Array>();
  for (const [key, message] of d.inbox) {
    if (message.kind !== 'shares') continue;
    const holder = Number(key.split('/').at(-1));
    for (const item of message.items) {
      if (item.kind !== kind || item.of !== of) continue;
      if (isShareSound(d, kind, of, holder, item.share)) shares.set(holder, item.share);
    }
  }
  if (shares.size < thresholdOf(d)) return undefined;
  const points = [...shares].map(([holder, share]) => ({ x: holder + 1, share }));
  return combineShares(points, thresholdOf(d));
}

type Terms = { readonly terms: readonly MaskTerm[] } | 'missing' | 'inconsistent';

/** The masks that are left in the sum: the survivors' own, and their edges with the dropped. */
function remainingMasks(d: SessionState): Terms {
  const terms: MaskTerm[] = [];
  for (const member of survivorsOf(d)) {
    const direct = directReveal(d, member);
    const own = direct?.selfMask ?? recover(d, 'self-mask', member);
    if (own === undefined) return 'missing';
    const commitment = messageOf(d, 'keyshare', member)!.selfMaskCommitment;
    if (!equalBytes(selfMaskCommitment(d.config, own), commitment)) return 'inconsistent';
    terms.push({ seed: new Secret(own), sign: -1 });
    for (const other of edgesToReveal(d, member)) {
      const seed =
        direct?.edges.find((edge) => edge.with === other)?.seed ?? recoverEdge(d, other, member);
      if (seed === undefined || seed === 'inconsistent') return seed ?? 'missing';
      terms.push({ seed: new Secret(seed), sign: edgeSign(member, other) === 1 ? -1 : 1 });
    }
  }
  return { terms };
}

/**
 * The edge between a dropped member and a silent survivor, from shares of the dropped one's key.
 */
function recoverEdge(
  d: SessionState,
  dropped: number,
  survivor: number,
): Uint8Array | 'inconsistent' | undefined {
  const seed = recover(d, 'mask-key', dropped);
  if (seed === undefined) return undefined;
  const key = agreementKeyFromSeed(seed);
  const expected = d.config.members[dropped]!.hello.maskKey;
  if (!equalBytes(key.publicKey, expected)) return 'inconsistent';
  return edgeSeed(d.config, dropped, key, survivor)?.reveal() ?? 'inconsistent';
}

/** Opens the sum as soon as all sums and all remaining masks are here. */
export function advanceUnmask(d: Draft): 'inconsistent' | undefined {
  fetchSums(d);
  const survivors = survivorsOf(d).length;
  if (d.config.protection === 'none') {
    if (isEverySumHere(d)) openSum(d, [], survivors);
    return undefined;
  }
  sendShares(d);
  if (!isEverySumHere(d) || d.done.has('unmask')) return undefined;
  const masks = remainingMasks(d);
  if (masks === 'inconsistent') return masks;
  if (masks !== 'missing') openSum(d, masks.terms, survivors);
  return undefined;
}

function openSum(d: Draft, terms: readonly MaskTerm[], survivors: number): void {
  if (!once(d, 'unmask')) return;
  d.effects.push({ kind: 'compute', compute: { task: 'unmask', terms, survivors } });
}
