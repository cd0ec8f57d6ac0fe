import {
  bytes,
  compareBytes,
  type Decoded,
  DecodeError,
  decodeCanonical,
  encodeCanonical,
  list,
  mapped,
  type PeerId,
  struct,
  text,
  u32,
  union,
} from '@starling/core';
import { hashCodec, peerCodec, type SigningKey, verify } from '@starling/crypto';
import { labelled } from './common.ts';
import { type Descriptor, type SwarmId, swarmIdOf } from './descriptor.ts';
import type { InviteId } from './invite.ts';
import { MEMBERSHIP_LIMITS } from './limits.ts';
import { FINE, refused, type Verdict } from './verdict.ts';

/** What is revoked: a member, or an invite that must not be redeemed any more. */
export const targetCodec = union({
  peer: struct({ peer: peerCodec }),
  invite: struct({ invite: hashCodec<InviteId>() }),
});
export type Target = Decoded<typeof targetCodec>;

export const revocationBodyCodec = struct({
  swarm: hashCodec<SwarmId>(),
  target: targetCodec,
  /** Seconds since 1970, for people and for "newer wins"; no rule compares it with a clock. */
  at: u32(),
  reason: text(MEMBERSHIP_LIMITS.reasonCharsMax),
  /** One of the authority. */
  signer: peerCodec,
});
export type RevocationBody = Decoded<typeof revocationBodyCodec>;

/** One admin's word; the words of k admins revoke. Spec §6. */
export const revocationCodec = struct({ body: revocationBodyCodec, signature: bytes(64) });
export type Revocation = Decoded<typeof revocationCodec>;

/**
 * All words that a peer knows. The version is their number: it only grows, and two peers that hold
 * the same version and different words merge them by union.
 */
export const revocationListCodec = mapped(
  struct({
    version: u32(MEMBERSHIP_LIMITS.revocationsMax),
    words: list(bytes(1, MEMBERSHIP_LIMITS.revocationBytesMax), MEMBERSHIP_LIMITS.revocationsMax),
  }),
  (value, field) => {
    if (value.version !== value.words.length) throw new DecodeError(field, 'not as many words');
    return value;
  },
  (value: { readonly version: number; readonly words: readonly Uint8Array[] }) => value,
);

const signedBytes = (body: RevocationBody): Uint8Array =>
  labelled('revocation', encodeCanonical(revocationBodyCodec, body));

export const signRevocation = (
  body: Omit<RevocationBody, 'signer'>,
  key: SigningKey,
): Revocation => {
  const whole = { ...body, signer: key.peerId };
  return { body: whole, signature: key.sign(signedBytes(whole)) };
};

/** Whether a word is of the swarm's authority. */
export function checkRevocation({ body, signature }: Revocation, descriptor: Descriptor): Verdict {
  if (body.swarm !== swarmIdOf(descriptor)) {
    return refused('wrong-swarm', 'the revocation is of another swarm');
  }
  if (!descriptor.admins.includes(body.signer)) {
    return refused('not-an-admin', `${body.signer} is not of the authority`);
  }
  return verify(body.signer, signedBytes(body), signature)
    ? FINE
    : refused('bad-signature', 'the revocation is not signed by its signer');
}

/** What two words must share to be about the same thing. */
export const targetKey = (target: Target): string =>
  target.kind === 'peer' ? `peer/${target.peer}` : `invite/${target.invite}`;

/** One place for each signer and target; of two words in one place the newer is kept. */
export const placeOf = ({ body }: Revocation): string => `${targetKey(body.target)}/${body.signer}`;

/** Whether `a` goes before `b` in their place: the later one, then the one of greater bytes. */
export function isNewer(a: Revocation, b: Revocation): boolean {
  if (a.body.at !== b.body.at) return a.body.at > b.body.at;
  return compareBytes(encodeRevocation(a), encodeRevocation(b)) > 0;
}

/** The words about `target`, when they are enough to revoke it. */
export function effective(
  words: readonly Revocation[],
  descriptor: Descriptor,
): readonly Revocation[] | undefined {
  const signers = new Set<PeerId>(words.map(({ body }) => body.signer));
  return signers.size >= descriptor.threshold ? words : undefined;
}

export const encodeRevocation = (revocation: Revocation): Uint8Array =>
  encodeCanonical(revocationCodec, revocation);

/** @throws DecodeError */
export const decodeRevocation = (given: Uint8Array): Revocation =>
  decodeCanonical(revocationCodec, given, MEMBERSHIP_LIMITS.revocationBytesMax);
