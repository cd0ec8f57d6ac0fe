import {
  bytes,
  compareText,
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
import { hashCodec, peerCodec, publicKeyOf, type SigningKey, sha256 } from '@starling/crypto';
import {
  isAscending,
  labelled,
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
  swarm: hashCodec<SwarmId>(),
  peer: peerCodec,
  role: oneOf(ROLES),
  /** Seconds since 1970. */
  notBefore: u32(),
  expires: u32(),
  serial: bytes(SERIAL_BYTES),
  /** The invite that was redeemed for it. */
  invite: hashCodec<InviteId>(),
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
 * has made admins. Nothing that is not signed may be in it: else anybody could make many out of
 * one. Says nothing of time or of the member's own revocation.
 */
export function checkSignatures(credential: Credential, rules: CredentialRules): Verdict {
  const { body, signatures } = credential;
  const { admins, threshold } = rules.descriptor;
  if (body.swarm !== swarmIdOf(rules.descriptor)) {
    return refused('wrong-swarm', 'the credential is of another swarm');
  }
  const delegates = delegatesOf(credential, rules.descriptor);
  if (delegates === undefined) return refused('bad-signature', 'a delegation does not hold');
  // An admin that could make admins could make them without end.
  const allowed = (signer: PeerId): boolean =>
    admins.includes(signer) || (body.role !== 'admin' && delegates.has(signer));
  const signers = soundSigners('credential', encoded(body), signatures, allowed);
  if (signers.length < signatures.length) {
    return refused('bad-signature', 'one of its signatures does not hold');
  }
  const counting = signers.filter((signer) => !rules.isRevoked(signer));
  if (counting.length >= threshold) return FINE;
  const detail = `${counting.length} signatures of the authority count, ${threshold} needed`;
  return refused('too-few-signatures', detail);
}

/**
 * Signers that the authority has made admins, by the credentials carried along; undefined when one
 * of these does not hold, is of no signer, or is out of order.
 */
function delegatesOf(
  { signatures, delegations }: Credential,
  descriptor: Descriptor,
): ReadonlySet<PeerId> | undefined {
  const found: PeerId[] = [];
  for (const encodedDelegation of delegations) {
    const delegation = readDelegation(encodedDelegation);
    const peer = delegation?.body.peer;
    const isOfSigner = signatures.some(({ signer }) => signer === peer);
    if (delegation === undefined || peer === undefined || !isOfSigner) return undefined;
    if (descriptor.admins.includes(peer)) return undefined;
    const rules = { descriptor, isRevoked: () => false };
    if (!checkSignatures(delegation, rules).ok) return undefined;
    found.push(peer);
  }
  return isAscending(found) ? new Set(found) : undefined;
}

/** An admin's credential that needs no other; undefined for anything else. */
function readDelegation(given: Uint8Array): Credential | undefined {
  try {
    const delegation = decodeCredential(given);
    const { body, delegations } = delegation;
    return body.role === 'admin' && delegations.length === 0 ? delegation : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** A credential of these signatures, with those delegations that they need. */
export function assembleCredential(
  body: CredentialBody,
  signatures: readonly SignatureOf[],
  delegations: readonly Uint8Array[],
): Credential {
  const signers = new Set(signatures.map(({ signer }) => signer));
  const needed = new Map<PeerId, Uint8Array>();
  for (const given of delegations) {
    const peer = readDelegation(given)?.body.peer;
    if (peer !== undefined && signers.has(peer)) needed.set(peer, given);
  }
  const ordered = [...needed].sort(([a], [b]) => compareText(a, b)).map(([, given]) => given);
  return { body, signatures, delegations: ordered };
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
