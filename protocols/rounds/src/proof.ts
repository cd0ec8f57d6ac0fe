import {
  bytes,
  type Codec,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  LIMITS,
  list,
  mapped,
  nullable,
  struct,
} from '@starling/core';
import { certificateBytesCodec } from './certificate.ts';
import { THANKS_BYTES_MAX } from './thanks.ts';

/**
 * Who the signers of a chain are: the descriptor of a swarm, credentials of its members and words
 * of revocation about them, each as the membership protocol encodes it.
 */
export const membershipProofCodec = struct({
  descriptor: bytes(1, 2 * 1024),
  credentials: list(bytes(1, 10 * 1024), 2_048),
  revocations: list(bytes(1, 1024), 4_096),
});
export type MembershipProof = Decoded<typeof membershipProofCodec>;
/** More than all of these lists together, each item of its largest size. */
const MEMBERSHIP_BYTES_MAX = 32 * 1024 * 1024;

/** As its own bytes, so that it counts as one item in a proof. */
const membershipBytesCodec = mapped<Uint8Array, MembershipProof>(
  bytes(1, MEMBERSHIP_BYTES_MAX),
  (encoded) => decodeCanonical(membershipProofCodec, encoded, MEMBERSHIP_BYTES_MAX),
  (membership) => encodeCanonical(membershipProofCodec, membership),
);

const chainFields = {
  manifest: bytes(1, 16 * 1024),
  certificates: list(certificateBytesCodec, 30_000),
  /** What else is under the last state hash: the server optimiser's vectors, as float32. */
  moments: list(bytes(0, 4 * LIMITS.vectorLengthMax), 2),
};
const bareCodec = struct(chainFields);
const provenCodec = struct({ ...chainFields, membership: membershipBytesCodec });
const thankedCodec = struct({
  ...chainFields,
  membership: nullable(membershipBytesCodec),
  /** Receipts for what was served in these rounds. */
  thanks: list(bytes(1, THANKS_BYTES_MAX), 65_536),
});

/**
 * What proves offline where a model comes from: the signed manifest, and every certificate since;
 * from a private swarm also whose the signatures are, and who was thanked for what. A proof without
 * these has three fields, or four, as all had before there were such things.
 */
export type Proof = Decoded<typeof thankedCodec>;
export const proofCodec: Codec<Proof> = {
  write: ({ membership, thanks, ...chain }) => {
    if (thanks.length > 0) return thankedCodec.write({ ...chain, membership, thanks });
    return membership === null
      ? bareCodec.write(chain)
      : provenCodec.write({ ...chain, membership });
  },
  read: (wire, field) => {
    const fields = Array.isArray(wire) ? wire.length : 0;
    const bare = Object.keys(chainFields).length;
    if (fields === bare) return { ...bareCodec.read(wire, field), membership: null, thanks: [] };
    if (fields === bare + 1) return { ...provenCodec.read(wire, field), thanks: [] };
    return thankedCodec.read(wire, field);
  },
};
export const PROOF_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of thanks in a proof: certificates and moments need room, too. */
export const PROOF_THANKS_BYTES_MAX = 64 * 1024 * 1024;
/** Items of a proof beside its certificates and thanks, rounded up. */
const OTHER_ITEMS = 16;

/** Thanks that still fit into a proof of so many certificates: each is one of its items. */
export const proofThanksMax = (certificates: number): number =>
  Math.max(0, LIMITS.codecItemsMax - OTHER_ITEMS - certificates);
