import {
  type BlobHash,
  type Brand,
  bytes,
  type Codec,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  type JobId,
  LIMITS,
  list,
  mapped,
  type PeerId,
  struct,
  u32,
  utf8,
} from '@starling/core';
import {
  hashCodec,
  hashHex,
  peerCodec,
  type SigningKey,
  signatureCodec,
  verify,
} from '@starling/crypto';
import { METRICS_MAX } from './training.ts';
import { ROUNDS_LABEL } from './version.ts';

/** SHA-256 of a certificate's statement: the same whichever quorum signed it. */
export type CertificateHash = Brand<string, 'CertificateHash'>;

const metricFields = { lossSum: u32(), correct: u32(), examples: u32(), seconds: u32() };
const plainMetrics = struct(metricFields);
const namedMetrics = struct({ ...metricFields, named: list(u32(), METRICS_MAX) });
/** Sums of a round; `named` of the job's own metrics, absent where it has none. */
export type RoundMetrics = Decoded<typeof plainMetrics> & { readonly named?: readonly number[] };
const metricsCodec: Codec<RoundMetrics> = {
  write: ({ named, ...metrics }) =>
    named === undefined ? plainMetrics.write(metrics) : namedMetrics.write({ ...metrics, named }),
  read: (wire, field) =>
    Array.isArray(wire) && wire.length === Object.keys(metricFields).length
      ? plainMetrics.read(wire, field)
      : namedMetrics.read(wire, field),
};

/** What a quorum of one attempt's roster signs at the end of a round. */
export const statementCodec = struct({
  jobId: hashCodec<JobId>(),
  /** 1 for the first round; the launched model is the state of round 0. */
  round: u32(1_000_000),
  restarts: u32(1_000),
  attempt: u32(1_000),
  /** The certificate before, or the job's id for round 1. */
  parent: hashCodec<CertificateHash>(),
  stateHash: hashCodec<BlobHash>(),
  roster: list(peerCodec, LIMITS.rosterPeersMax),
  /** One bit per member of `roster`, least significant bit of byte 0 first. */
  survivors: bytes(1, LIMITS.rosterPeersMax / 8),
  /**
   * Of the state before this round, summed over the survivors' validation splits (decision 14b);
   * and the seconds that the round took, summed over the survivors, in a job that ends by them.
   */
  metrics: metricsCodec,
});
export type Statement = Decoded<typeof statementCodec>;

export const certificateCodec = struct({
  statement: statementCodec,
  signatures: list(
    struct({ member: u32(LIMITS.rosterPeersMax - 1), signature: signatureCodec }),
    LIMITS.rosterPeersMax,
  ),
});
export type Certificate = Decoded<typeof certificateCodec>;

/** Bytes of one certificate: the largest roster with everybody's signature. */
export const CERTIFICATE_BYTES_MAX = 128 * 1024;

/** A certificate inside a longer message: as its own bytes, so that it counts as one item there. */
export const certificateBytesCodec = mapped<Uint8Array, Certificate>(
  bytes(1, CERTIFICATE_BYTES_MAX),
  (encoded) => decodeCanonical(certificateCodec, encoded, CERTIFICATE_BYTES_MAX),
  (certificate) => encodeCanonical(certificateCodec, certificate),
);

const hashes = new WeakMap<Statement, CertificateHash>();
/** Names a certificate, whoever signed it; computed once, since a statement never changes. */
export function statementHash(statement: Statement): CertificateHash {
  const known = hashes.get(statement);
  if (known !== undefined) return known;
  const hash = hashHex(
    utf8(`${ROUNDS_LABEL}/statement`),
    encodeCanonical(statementCodec, statement),
  ) as CertificateHash;
  hashes.set(statement, hash);
  return hash;
}

/** The hash is signed, not the statement: a quorum checks hundreds of signatures over it. */
const signedBytes = (statement: Statement): Uint8Array =>
  concatBytes(utf8(`${ROUNDS_LABEL}/certificate`), fromHex(statementHash(statement)));

export const signStatement = (statement: Statement, key: SigningKey): Uint8Array =>
  key.sign(signedBytes(statement));

export const verifyStatement = (
  statement: Statement,
  signer: PeerId,
  signature: Uint8Array,
): boolean => verify(signer, signedBytes(statement), signature);
