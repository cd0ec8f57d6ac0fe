import {
  bool,
  bytes,
  type Decoded,
  list,
  nullable,
  oneOf,
  struct,
  text,
  union,
} from '@starling/core';
import { peerCodec } from '@starling/crypto';
import { signaturesCodec } from './common.ts';
import { MEMBERSHIP_LIMITS } from './limits.ts';
import { revocationListCodec } from './revocation.ts';
import { REFUSALS } from './verdict.ts';

const credentialBytes = bytes(1, MEMBERSHIP_LIMITS.credentialBytesMax);
const revocationBytes = bytes(1, MEMBERSHIP_LIMITS.revocationBytesMax);
const credentials = list(credentialBytes, MEMBERSHIP_LIMITS.membersMax);
const news = struct({
  credentials,
  revocations: list(revocationBytes, MEMBERSHIP_LIMITS.revocationsMax),
});
const vouches = list(bytes(1, MEMBERSHIP_LIMITS.vouchBytesMax), MEMBERSHIP_LIMITS.vouchesMax);

/** A request of the join protocol; spec §7. It travels in the body, the header is empty. */
export const joinRequestCodec = union({
  /** First on a connection, by who dialled: shows the credential, and what books are held. */
  hello: struct({ credential: nullable(credentialBytes), books: bytes(32) }),
  /** Asks for the signatures that make an invite into a credential. */
  redeem: struct({
    invite: bytes(1, MEMBERSHIP_LIMITS.inviteBytesMax),
    peer: peerCodec,
    /** `peer`'s signature: nobody redeems in another's name. */
    proof: bytes(64),
    /** Signatures that are there already. */
    signatures: signaturesCodec,
    /** By a member on behalf of `peer`: whoever is asked signs alone, and asks nobody else. */
    forwarded: bool,
  }),
  /** Members only: what is new to the sender. */
  news,
  /** Members only: asks for all books. */
  books: struct({}),
  /** Vouches that are new to the sender; of one that is not let in, those about it alone. */
  vouch: struct({ vouches }),
  /** Members only: asks for all vouches, unless they are those of this digest. */
  vouches: struct({ known: bytes(32) }),
});
export type JoinRequest = Decoded<typeof joinRequestCodec>;

export const joinAnswerCodec = union({
  welcome: struct({ credential: nullable(credentialBytes), books: bytes(32) }),
  signed: struct({
    signatures: signaturesCodec,
    delegations: list(bytes(1, 2_048), MEMBERSHIP_LIMITS.delegationsMax),
  }),
  books: struct({ credentials, revocations: revocationListCodec }),
  taken: struct({}),
  refused: struct({
    reason: oneOf(REFUSALS),
    detail: text(MEMBERSHIP_LIMITS.detailCharsMax),
  }),
  /** None when the digest is the one asked with. */
  vouches: struct({ digest: bytes(32), vouches }),
});
export type JoinAnswer = Decoded<typeof joinAnswerCodec>;
