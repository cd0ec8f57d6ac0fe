import {
  bytes,
  concatBytes,
  type Decoded,
  DecodeError,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  list,
  mapped,
  oneOf,
  type PeerId,
  struct,
  u32,
} from '@starling/core';
import { publicKeyOf, type SigningKey, sha256 } from '@starling/crypto';
import {
  idCodec,
  labelled,
  memberCodec,
  type SignatureOf,
  signAs,
  signaturesCodec,
  soundSigners,
} from './common.ts';
import { type Descriptor, type SwarmId, swarmIdOf } from './descriptor.ts';
import { type InviteBody, type InviteId, inviteIdOf, isoTime } from './invite.ts';
import { MEMBERSHIP_LIMITS, TOLERANCE_SECONDS } from './limits.ts';
import { ROLES } from './roles.ts';
import { FINE, refused, type Verdict } from './verdict.ts';

const SERIAL_BYTES = 16;

const bodyFields = struct({
  swarm: idCodec<SwarmId>(),
  peer: memberCodec,
  role: oneOf(ROLES),
  /** Seconds since 1970. */
  notBefore: u32(),
  expires: u32(),
  serial: bytes(SERIAL_BYTES),
  /** The invite that was redeemed for it. */
  invite: idCodec<InviteId>(),
});
export type CredentialBody = Decoded<typeof bodyFields>;

export const credentialBodyCodec = mapped<CredentialBody, CredentialBody>(
  bodyFields,
  (body, field) => {
    if (body.notBefore >= body.expires) throw new DecodeError(field, 'ends before it begins');
    return body;
  },
  (body) => body,
);

/** Says that a peer is a member, and in what role. Spec §5. */
export const credentialCodec = struct({
  body: credentialBodyCodec,
  signatures: signaturesCodec,
  /** Credentials of the signers that are not of the authority, which itself has signed those. */
  delegations: list(bytes(1, 2_048), MEMBERSHIP_LIMITS.delegationsMax),
});
export type Credential = Decoded<typeof credentialCodec>;

/**
 * The body that redeeming an invite gives a peer. It follows from the two, so that any number of
 * admins sign the same bytes without talking to each other.
 */
export function credentialBodyFor(invite: InviteBody, peer: PeerId): CredentialBody {
  const id = inviteIdOf(invite);
  const serial = sha256(labelled('serial', concatBytes(fromHex(id), publicKeyOf(peer))));
  return {
    swarm: swarmIdOf(invite.swarm),
    peer,
    role: invite.role,
    notBefore: invite.issued,
    expires: invite.memberUntil,
    serial: serial.slice(0, SERIAL_BYTES),
    invite: id,
  };
}

const encoded = (body: CredentialBody): Uint8Array => encodeCanonical(credentialBodyCodec, body);

export const signCredential = (body: CredentialBody, key: SigningKey): SignatureOf =>
  signAs(key, 'credential', encoded(body));

/** Whether one signature under a credential's body holds, whoever made it. */
export const isSignatureUnder = (body: CredentialBody, entry: SignatureOf): boolean =>
  soundSigners('credential', encoded(body), [entry], () => true).length === 1;

export interface CredentialRules {
  readonly descriptor: Descriptor;
  /** A signature of somebody who was revoked is worth nothing, whenever it was made. */
  readonly isRevoked: (peer: PeerId) => boolean;
}

/**
 * Whether the authority stands behind a credential: k signatures of its own, or of members that it
 * has made admins. Says nothing of time or of the member's own revocation.
 */
export function checkSignatures(credential: Credential, rules: CredentialRules): Verdict {
  const { body, signatures } = credential;
  const { admins, threshold } = rules.descriptor;
  if (body.swarm !== swarmIdOf(rules.descriptor)) {
    return refused('wrong-swarm', 'the credential is of another swarm');
  }
  const delegates = delegatesOf(credential, rules);
  // An admin that could make admins could make them without end.
  const allowed = (signer: PeerId): boolean =>
    !rules.isRevoked(signer) &&
    (admins.includes(signer) || (body.role !== 'admin' && delegates.has(signer)));
  const signers = soundSigners('credential', encoded(body), signatures, allowed);
  if (signers.length >= threshold) return FINE;
  const detail = `${signers.length} sound signatures of the authority, ${threshold} needed`;
  return refused(signatures.length === 0 ? 'too-few-signatures' : 'bad-signature', detail);
}

/** Members that the authority has made admins, by the credentials carried along. */
function delegatesOf(credential: Credential, rules: CredentialRules): ReadonlySet<PeerId> {
  const found = new Set<PeerId>();
  for (const encodedDelegation of credential.delegations) {
    const delegation = decodeCredential(encodedDelegation);
    if (delegation.delegations.length > 0 || delegation.body.role !== 'admin') continue;
    if (rules.isRevoked(delegation.body.peer)) continue;
    if (checkSignatures(delegation, rules).ok) found.add(delegation.body.peer);
  }
  return found;
}

/** Whether `now`, in seconds since 1970, lies within a credential's time, five minutes granted. */
export function checkTime({ notBefore, expires }: CredentialBody, now: number): Verdict {
  if (now > expires + TOLERANCE_SECONDS) {
    return refused('expired', `the membership ended at ${isoTime(expires)}`);
  }
  if (now < notBefore - TOLERANCE_SECONDS) {
    const detail = `the membership begins at ${isoTime(notBefore)}, which is still to come here`;
    return refused('not-yet-valid', `${detail}: compare the two clocks`);
  }
  return FINE;
}

export const encodeCredential = (credential: Credential): Uint8Array =>
  encodeCanonical(credentialCodec, credential);

/** @throws DecodeError */
export const decodeCredential = (given: Uint8Array): Credential =>
  decodeCanonical(credentialCodec, given, MEMBERSHIP_LIMITS.credentialBytesMax);

/** A peer's word that it wants the membership of an invite: nobody else can ask in its name. */
export const signRequest = (invite: InviteBody, key: SigningKey): Uint8Array =>
  signAs(key, 'redeem', fromHex(inviteIdOf(invite))).signature;

export const isRequestBy = (peer: PeerId, invite: InviteBody, signature: Uint8Array): boolean =>
  soundSigners('redeem', fromHex(inviteIdOf(invite)), [{ signer: peer, signature }], () => true)
    .length === 1;
