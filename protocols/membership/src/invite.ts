import {
  type Brand,
  bool,
  bytes,
  type Decoded,
  DecodeError,
  decodeCanonical,
  encodeCanonical,
  list,
  mapped,
  nullable,
  oneOf,
  type PeerId,
  struct,
  text,
  u32,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { peerCodec } from '@starling/crypto';
import { idOf, mergeSignatures, signAs, signaturesCodec, soundSigners } from './common.ts';
import { descriptorCodec } from './descriptor.ts';
import { MEMBERSHIP_LIMITS, TOLERANCE_SECONDS } from './limits.ts';
import { ROLES } from './roles.ts';
import { FINE, refused, type Verdict } from './verdict.ts';

/** SHA-256 of an invite's body, 64 hex digits: the same however many have signed it. */
export type InviteId = Brand<string, 'InviteId'>;

const addressCodec = mapped<string, string>(
  text(MEMBERSHIP_LIMITS.addressCharsMax),
  (address, field) => {
    if (!/^\/[\x21-\x7e]+$/.test(address)) throw new DecodeError(field, 'not a multiaddr');
    return address;
  },
  (address) => address,
);

const bodyFields = struct({
  swarm: descriptorCodec,
  role: oneOf(ROLES),
  /** For the first peer that redeems it, and no other. */
  singleUse: bool,
  /** Who decides which peer came first; one of the authority. */
  issuer: peerCodec,
  /** Seconds since 1970: when it was made, until when it can be redeemed. */
  issued: u32(),
  expires: u32(),
  /** When the membership ends that it gives. */
  memberUntil: u32(),
  /** The swarm's pre-shared key; null where the socket is open to all. */
  key: nullable(bytes(32)),
  /** Multiaddrs of peers to start from. */
  bootstrap: list(addressCodec, MEMBERSHIP_LIMITS.addressesMax),
  nonce: bytes(12),
});
export type InviteBody = Decoded<typeof bodyFields>;

/** The body of an invite: spec §4. */
export const inviteBodyCodec = mapped<InviteBody, InviteBody>(
  bodyFields,
  (body, field) => {
    if (!body.swarm.admins.includes(body.issuer)) {
      throw new DecodeError(field, 'the issuer is not of the authority');
    }
    if (body.issued >= body.expires || body.issued >= body.memberUntil) {
      throw new DecodeError(field, 'ends before it begins');
    }
    return body;
  },
  (body) => body,
);

const inviteFields = struct({ body: inviteBodyCodec, signatures: signaturesCodec });
export type Invite = Decoded<typeof inviteFields>;
export const inviteCodec = inviteFields;

const encoded = (body: InviteBody): Uint8Array => encodeCanonical(inviteBodyCodec, body);

export const inviteIdOf = (body: InviteBody): InviteId =>
  idOf('invite-id', encoded(body)) as InviteId;

/** Adds `key`'s signature; k of the authority make an invite good. */
export function signInvite(invite: Invite, key: SigningKey): Invite {
  const own = signAs(key, 'invite', encoded(invite.body));
  return { ...invite, signatures: mergeSignatures(invite.signatures, [own]) };
}

/** Members of the authority whose signatures under the invite hold. */
export const invitersOf = ({ body, signatures }: Invite): readonly PeerId[] =>
  soundSigners('invite', encoded(body), signatures, (peer) => body.swarm.admins.includes(peer));

/** Whether an invite can be redeemed at `now`, in seconds since 1970; not if it was already. */
export function checkInvite(invite: Invite, now: number): Verdict {
  const { body } = invite;
  const { threshold } = body.swarm;
  const signers = invitersOf(invite);
  if (signers.length < invite.signatures.length) {
    return refused('bad-signature', 'a signature under the invite is not of its authority');
  }
  if (signers.length < threshold) {
    const detail = `signed by ${signers.length} of the ${threshold} admins that it needs`;
    return refused('too-few-signatures', detail);
  }
  if (now > body.expires + TOLERANCE_SECONDS) {
    return refused('invite-expired', `the invite expired at ${isoTime(body.expires)}`);
  }
  if (now > body.memberUntil + TOLERANCE_SECONDS) {
    return refused('invite-expired', `its memberships ended at ${isoTime(body.memberUntil)}`);
  }
  if (now < body.issued - TOLERANCE_SECONDS) {
    const detail = `the invite is of ${isoTime(body.issued)}, which is still to come here`;
    return refused('not-yet-valid', `${detail}: compare the two clocks`);
  }
  return FINE;
}

/** Seconds since 1970 as people write them, in UTC. */
export const isoTime = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

const PREFIX = 'starling1-';

/** The form that people pass on: a prefix and base64url. */
export const inviteText = (invite: Invite): string =>
  PREFIX + base64url(encodeCanonical(inviteCodec, invite));

/** Blanks and line breaks do not matter. @throws DecodeError on anything but an invite's text */
export function parseInvite(given: string): Invite {
  const compact = given.replace(/\s/g, '');
  if (!compact.startsWith(PREFIX)) {
    throw new DecodeError('invite', `an invite begins with "${PREFIX}"`);
  }
  const body = compact.slice(PREFIX.length);
  const bytesMax = MEMBERSHIP_LIMITS.inviteBytesMax;
  if (!/^[\w-]+$/.test(body) || body.length > 2 * bytesMax) {
    throw new DecodeError('invite', 'the text is damaged; copy it again, whole');
  }
  return decodeCanonical(inviteCodec, fromBase64url(body), bytesMax);
}

function base64url(data: Uint8Array): string {
  let binary = '';
  for (const byte of data) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64url(given: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(given.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new DecodeError('invite', 'the text is damaged; copy it again, whole');
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
