import { decodeCanonical, encodeCanonical, LIMITS } from '@starling/core';
import { open, seal, splitSecret } from '@starling/crypto';
import {
  type DecisionValue,
  type MessageOf,
  type SealedShares,
  sealedSharesCodec,
} from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from './bitmap.ts';
import { holderIndex, holdersOf, shareThreshold } from './graph.ts';
import {
  coefficientsOf,
  edgeCommitment,
  maskKeySeedOf,
  ownEdgeSeed,
  sealingKey,
  selfMaskCommitment,
  selfMaskOf,
  shareCommitment,
} from './secrets.ts';
import {
  allMembers,
  broadcast,
  complaintsAbout,
  type Draft,
  digestOf,
  holdsBound,
  isEquivocator,
  journal,
  maskSetOf,
  messageOf,
  own,
  rosterSize,
  type SessionState,
  setTimer,
  survivorsMinOf,
} from './state.ts';
import type { SessionConfig } from './types.ts';
import { isEnough } from './veto.ts';

/**
 * Phase 1: every member deals shares of its self-mask seed and of its mask key, and the cell
 * decides V, the members whose bundles are there. Spec: protocols/secagg/spec.md §5.1 and §5.2.
 */
export function startShares(d: Draft): void {
  journal(d, { kind: 'entered' });
  setTimer(d, 'shares', 1);
  broadcast(d, d.config.protection === 'none' ? EMPTY_BUNDLE : dealShares(d));
}

const EMPTY_BUNDLE: MessageOf<'keyshare'> = {
  kind: 'keyshare',
  selfMaskCommitment: new Uint8Array(32),
  dealt: [],
};

function dealShares(d: SessionState): MessageOf<'keyshare'> {
  const { config } = d;
  const { seed, self } = config;
  const selfShares = splitOwn(config, 'self-mask');
  const keyShares = splitOwn(config, 'mask-key');
  const dealt = holdersOf(config, self).map((holder, i) => {
    const shares = { selfMask: selfShares[i]!, maskKey: keyShares[i]! };
    const edge = holder === self ? undefined : ownEdgeSeed(config, holder);
    const key = holder === self ? undefined : sealingKey(config, self, holder);
    return {
      sealed: key
        ? seal(key, encodeCanonical(sealedSharesCodec, shares), config.rosterDigest)
        : NONE,
      selfMaskCommitment: shareCommitment(config, 'self-mask', self, holder, shares.selfMask),
      maskKeyCommitment: shareCommitment(config, 'mask-key', self, holder, shares.maskKey),
      edgeCommitment: edge ? edgeCommitment(config, edge.reveal()) : new Uint8Array(32),
    };
  });
  const commitment = selfMaskCommitment(config, selfMaskOf(seed).reveal());
  return { kind: 'keyshare', selfMaskCommitment: commitment, dealt };
}
const NONE = new Uint8Array(0);

/** This peer's shares of one of its two secrets, the same every time; one for each holder. */
function splitOwn(config: SessionConfig, name: 'self-mask' | 'mask-key'): readonly Uint8Array[] {
  const { seed, self } = config;
  const plan = { threshold: shareThreshold(config), count: holdersOf(config, self).length };
  const secret = name === 'self-mask' ? selfMaskOf(seed) : maskKeySeedOf(seed);
  const coefficients = coefficientsOf(seed, name, (plan.threshold - 1) * 32);
  return splitSecret(secret.reveal(), plan, coefficients);
}

/** What everybody can check of a bundle; a holder also tries whether its own shares open. */
export function isBundleSound(
  config: SessionConfig,
  dealer: number,
  message: MessageOf<'keyshare'>,
): boolean {
  if (config.protection === 'none') return message.dealt.length === 0;
  return message.dealt.length === holdersOf(config, dealer).length;
}

/** The two shares that `dealer` gave this peer, if they open their commitments. */
export function heldShares(d: SessionState, dealer: number): SealedShares | undefined {
  const { config } = d;
  const { self } = config;
  const index = holderIndex(config, dealer, self);
  if (index === -1) return undefined;
  if (dealer === self) {
    const [selfMask, maskKey] = [splitOwn(config, 'self-mask'), splitOwn(config, 'mask-key')];
    return { selfMask: selfMask[index]!, maskKey: maskKey[index]! };
  }
  const entry = messageOf(d, 'keyshare', dealer)?.dealt[index];
  const key = sealingKey(config, dealer, self);
  const plain = entry && key && open(key, entry.sealed, config.rosterDigest);
  if (!plain) return undefined;
  try {
    const shares = decodeCanonical(sealedSharesCodec, plain, LIMITS.controlBytesMax);
    const sound =
      isShareSound(d, 'self-mask', dealer, self, shares.selfMask) &&
      isShareSound(d, 'mask-key', dealer, self, shares.maskKey);
    return sound ? shares : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a share is the one that its dealer committed to for this holder. */
export function isShareSound(
  d: SessionState,
  kind: 'self-mask' | 'mask-key',
  dealer: number,
  holder: number,
  share: Uint8Array,
): boolean {
  const index = holderIndex(d.config, dealer, holder);
  const entry = index === -1 ? undefined : messageOf(d, 'keyshare', dealer)?.dealt[index];
  if (entry === undefined) return false;
  const expected = kind === 'self-mask' ? entry.selfMaskCommitment : entry.maskKeyCommitment;
  const found = shareCommitment(d.config, kind, dealer, holder, share);
  return found.every((byte, i) => byte === expected[i]);
}

/** Looks once at the shares that each dealer gave this peer. */
export function inspectDealers(d: Draft): void {
  if (d.config.protection === 'none') return;
  for (const dealer of holdersOf(d.config, d.config.self)) {
    if (dealer === d.config.self || d.dealers.has(dealer)) continue;
    if (messageOf(d, 'keyshare', dealer) === undefined) continue;
    own(d, 'dealers').set(dealer, heldShares(d, dealer) !== undefined);
  }
}

/** More complaints than the holders that may be missing: its secrets might not be recovered. */
const isDistrusted = (d: SessionState, dealer: number): boolean =>
  complaintsAbout(d, 'dealer', dealer) >
  holdersOf(d.config, dealer).length - shareThreshold(d.config);

/**
 * Whether V is decided and the very bundles it is bound to are here. A quorum may decide V before
 * this peer holds them all, and without a bundle it cannot tell which edges carry a mask.
 */
export function holdsMaskSet(d: SessionState): boolean {
  const { decision } = d.maskSet;
  if (decision?.kind !== 'set') return false;
  const members = maskSetOf(d);
  return members.every((m, i) => holdsBound(d, 'keyshare', m, decision.bound[i]!));
}

/**
 * V as this peer would propose it, once nobody reachable is missing or the phase's time is over.
 */
export function maskSetCandidate(d: SessionState): DecisionValue | undefined {
  const holders = allMembers(d).filter((m) => messageOf(d, 'keyshare', m) !== undefined);
  const members = holders.filter((m) => !isDistrusted(d, m) && !isEquivocator(d, m));
  if (members.length < survivorsMinOf(d)) return undefined;
  const missing = allMembers(d).some((m) => !holders.includes(m) && !d.unreachable.has(m));
  if (missing && !d.expired.has('shares')) return undefined;
  if (!isEnough(d, members)) return undefined;
  const bound = members.map((m) => digestOf(messageOf(d, 'keyshare', m)!));
  return { kind: 'set', members: toBitmap(members, rosterSize(d)), bound };
}

/** This peer vouches for a V whose bundles it holds and whose dealers are not distrusted. */
export function isMaskSetValid(d: SessionState, value: DecisionValue): boolean {
  if (value.kind !== 'set') return false;
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === undefined || members.length !== value.bound.length) return false;
  if (!isEnough(d, members)) return false;
  return members.every(
    (m, i) => holdsBound(d, 'keyshare', m, value.bound[i]!) && !isDistrusted(d, m),
  );
}
