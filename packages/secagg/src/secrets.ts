import { concatBytes, u32be, utf8 } from '@starling/core';
import {
  type AgreementKey,
  agreementKeyFromSeed,
  deriveSecret,
  type Secret,
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

/** The key that seals `dealer`'s shares for `holder`, one of whom is this peer with `key`. */
export function sealingKey(
  config: SessionConfig,
  key: AgreementKey,
  dealer: number,
  holder: number,
): Secret | undefined {
  const other = config.self === dealer ? holder : dealer;
  const agreed = key.agree(config.members[other]!.hello.encryptionKey);
  const direction = concatBytes(u32be(dealer), u32be(holder));
  const info = concatBytes(pairInfo(config, 'share-seal', dealer, holder), direction);
  return agreed && deriveSecret(agreed, info);
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
