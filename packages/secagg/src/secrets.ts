import { concatBytes, u32be, utf8 } from '@starling/core';
import {
  type AgreementKey,
  agreementKeyFromSeed,
  deriveSecret,
  Secret,
  sha256,
} from '@starling/crypto';
import { type Hello, SECAGG_LABEL } from '@starling/protocol-secagg';
import type { SessionConfig } from './types.ts';

/** Every secret of one peer in one attempt follows from its 32-byte seed. */
const part = (seed: Secret, name: string): Secret =>
  deriveSecret(seed, utf8(`${SECAGG_LABEL}/own/${name}`));

export const encryptionKeyOf = (seed: Secret) =>
  agreementKeyFromSeed(part(seed, 'encryption-key').reveal());
export const maskKeySeedOf = (seed: Secret): Secret => part(seed, 'mask-key');
export const maskKeyOf = (seed: Secret) => agreementKeyFromSeed(maskKeySeedOf(seed).reveal());
export const selfMaskOf = (seed: Secret): Secret => part(seed, 'self-mask');
/** Bytes for the coefficients of one Shamir polynomial. */
export const coefficientsOf = (seed: Secret, name: 'self-mask' | 'mask-key', length: number) =>
  deriveSecret(seed, utf8(`${SECAGG_LABEL}/own/coefficients/${name}`), length).reveal();

interface OwnKeys {
  readonly encryption: AgreementKey;
  readonly mask: AgreementKey;
  /** Agreed secrets by kind and member: X25519 is the dear part of the set-up. */
  readonly agreed: Map<string, Secret | undefined>;
}
const keysOf = new WeakMap<SessionConfig, OwnKeys>();

/** This peer's keys in a session, derived once; they go when the session's config goes. */
function ownKeys(config: SessionConfig): OwnKeys {
  const known = keysOf.get(config);
  if (known !== undefined) return known;
  const { seed } = config;
  const keys = { encryption: encryptionKeyOf(seed), mask: maskKeyOf(seed), agreed: new Map() };
  keysOf.set(config, keys);
  return keys;
}

function agreed(config: SessionConfig, use: 'encryption' | 'mask', other: number) {
  const keys = ownKeys(config);
  const name = `${use}/${other}`;
  if (!keys.agreed.has(name)) {
    const { hello } = config.members[other]!;
    const theirs = use === 'encryption' ? hello.encryptionKey : hello.maskKey;
    keys.agreed.set(name, keys[use].agree(theirs));
  }
  return keys.agreed.get(name);
}

/** The seed of the mask between this peer and `other`; undefined for a bad key. */
export function ownEdgeSeed(config: SessionConfig, other: number): Secret | undefined {
  const secret = agreed(config, 'mask', other);
  return secret && deriveSecret(secret, pairInfo(config, 'pair-mask', config.self, other));
}

/** The public half that goes into the JOIN. */
export function helloOf(seed: Secret): Hello {
  return {
    encryptionKey: encryptionKeyOf(seed).publicKey,
    maskKey: maskKeyOf(seed).publicKey,
  };
}

/** Binds round, attempt, roster, model and codec, and the two ends in roster order. */
function pairInfo(config: SessionConfig, use: string, a: number, b: number): Uint8Array {
  return concatBytes(
    utf8(`${SECAGG_LABEL}/${use}`),
    config.roundId,
    u32be(config.attempt),
    config.rosterDigest,
    config.context,
    u32be(Math.min(a, b)),
    u32be(Math.max(a, b)),
  );
}

/**
 * The seed of the mask between `owner`, whose key is given, and `other`; undefined for a bad key.
 */
export function edgeSeed(
  config: SessionConfig,
  owner: number,
  key: AgreementKey,
  other: number,
): Secret | undefined {
  const agreed = key.agree(config.members[other]!.hello.maskKey);
  return agreed && deriveSecret(agreed, pairInfo(config, 'pair-mask', owner, other));
}

/** The key that seals `dealer`'s shares for `holder`, one of whom is this peer. */
export function sealingKey(
  config: SessionConfig,
  dealer: number,
  holder: number,
): Secret | undefined {
  const secret = agreed(config, 'encryption', config.self === dealer ? holder : dealer);
  const direction = concatBytes(u32be(dealer), u32be(holder));
  const info = concatBytes(pairInfo(config, 'share-seal', dealer, holder), direction);
  return secret && deriveSecret(secret, info);
}

/**
 * Seed of the check coefficients: everybody learns it only when all self-masks of U are open, and
 * each of those was committed to before V. So nobody could choose it. Spec §5.9.
 */
export function tagSeed(
  config: SessionConfig,
  survivors: Uint8Array,
  selfMasks: readonly Uint8Array[],
): Secret {
  const place = concatBytes(config.rosterDigest, survivors, ...selfMasks);
  return new Secret(sha256(label('tag-seed'), place));
}

const label = (use: string) => utf8(`${SECAGG_LABEL}/${use}`);

export const selfMaskCommitment = (config: SessionConfig, selfMask: Uint8Array): Uint8Array =>
  sha256(label('self-mask-commitment'), config.rosterDigest, selfMask);
export const edgeCommitment = (config: SessionConfig, seed: Uint8Array): Uint8Array =>
  sha256(label('edge-commitment'), config.rosterDigest, seed);

/** Binds a share to dealer, holder and kind, so that no share passes for another. */
export function shareCommitment(
  config: SessionConfig,
  kind: 'self-mask' | 'mask-key',
  dealer: number,
  holder: number,
  share: Uint8Array,
): Uint8Array {
  const place = concatBytes(u32be(dealer), u32be(holder));
  return sha256(label(`share-commitment/${kind}`), config.rosterDigest, place, share);
}
