import { encodeCanonical } from '@starling/core';
import { seal, splitSecret } from '@starling/crypto';
import { type DecisionValue, type MessageOf, sealedSharesCodec } from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from './bitmap.ts';
import {
  coefficientsOf,
  edgeCommitment,
  edgeSeed,
  encryptionKeyOf,
  maskKeyOf,
  maskKeySeedOf,
  sealingKey,
  selfMaskCommitment,
  selfMaskOf,
  shareCommitment,
} from './secrets.ts';
import {
  broadcast,
  type Draft,
  journal,
  maskSetOf,
  messageOf,
  rosterSize,
  type SessionState,
  survivorsMinOf,
  thresholdOf,
} from './state.ts';
import type { SessionConfig } from './types.ts';

/**
 * Phase 1: every member deals shares of its self-mask seed and of its mask key, and the roster
 * decides V, the members whose bundles are there. Spec: protocols/secagg/spec.md §5.1 and §5.2.
 */
export function startShares(d: Draft): void {
  journal(d, { kind: 'entered' });
  d.effects.push({
    kind: 'set-timer',
    timer: 'shares',
    afterMs: d.config.timers.phaseMs,
  });
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
  const selfShares = splitOwn(d, 'self-mask');
  const keyShares = splitOwn(d, 'mask-key');
  const encryptionKey = encryptionKeyOf(seed);
  const maskKey = maskKeyOf(seed);
  const dealt = config.members.map((_, holder) => {
    const shares = { selfMask: selfShares[holder]!, maskKey: keyShares[holder]! };
    const edge = holder === self ? undefined : edgeSeed(config, self, maskKey, holder);
    const key = holder === self ? undefined : sealingKey(config, encryptionKey, self, holder);
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

/** This peer's shares of one of its two secrets, the same every time; entry i is for member i. */
export function splitOwn(d: SessionState, name: 'self-mask' | 'mask-key'): readonly Uint8Array[] {
  const { seed } = d.config;
  const plan = { threshold: thresholdOf(d), count: rosterSize(d) };
  const secret = name === 'self-mask' ? selfMaskOf(seed) : maskKeySeedOf(seed);
  const coefficients = coefficientsOf(seed, name, (plan.threshold - 1) * 32);
  return splitSecret(secret.reveal(), plan, coefficients);
}

/** What everybody can check of a bundle; a holder finds out only later whether its share opens. */
export function isBundleSound(config: SessionConfig, message: MessageOf<'keyshare'>): boolean {
  if (config.protection === 'none') return message.dealt.length === 0;
  return message.dealt.length === config.members.length;
}

function bundleHolders(d: SessionState): readonly number[] {
  return [...d.config.members.keys()].filter((m) => messageOf(d, 'keyshare', m) !== undefined);
}

/**
 * Whether V is decided and every bundle of V is here. A quorum may decide V before this peer holds
 * them all, and without a bundle it cannot tell which edges carry a mask.
 */
export function holdsMaskSet(d: SessionState): boolean {
  const members = maskSetOf(d);
  return members.length > 0 && members.every((m) => messageOf(d, 'keyshare', m) !== undefined);
}

/**
 * V as this peer would propose it, once nobody reachable is missing or the phase's time is over.
 */
export function maskSetCandidate(d: SessionState): DecisionValue | undefined {
  const holders = bundleHolders(d);
  if (holders.length < survivorsMinOf(d)) return undefined;
  const missing = [...d.config.members.keys()].filter(
    (m) => !holders.includes(m) && !d.unreachable.has(m),
  );
  if (missing.length > 0 && !d.expired.has('shares')) return undefined;
  return { kind: 'set', members: toBitmap(holders, rosterSize(d)) };
}

/** This peer vouches for a V whose bundles it holds itself. */
export function isMaskSetValid(d: SessionState, value: DecisionValue): boolean {
  if (value.kind !== 'set') return false;
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === undefined || members.length < survivorsMinOf(d)) return false;
  return members.every((member) => messageOf(d, 'keyshare', member) !== undefined);
}
