import {
  bytes,
  type Codec,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  LIMITS,
  list,
  mapped,
  struct,
} from '@starling/core';
import { certificateBytesCodec } from './certificate.ts';

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

/**
 * What proves offline where a model comes from: the signed manifest, and every certificate since;
 * from a private swarm also whose the signatures are. A proof without that has three fields, as all
 * had before there was such a thing.
 */
export type Proof = Decoded<typeof bareCodec> & { readonly membership: MembershipProof | null };
export const proofCodec: Codec<Proof> = {
  write: ({ membership, ...chain }) =>
    membership === null ? bareCodec.write(chain) : provenCodec.write({ ...chain, membership }),
  read: (wire, field) =>
    Array.isArray(wire) && wire.length === Object.keys(chainFields).length
      ? { ...bareCodec.read(wire, field), membership: null }
      : provenCodec.read(wire, field),
};
export const PROOF_BYTES_MAX = 256 * 1024 * 1024;
