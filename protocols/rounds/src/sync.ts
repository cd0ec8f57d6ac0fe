import {
  bytes,
  type Decoded,
  type JobId,
  LIMITS,
  list,
  nullable,
  struct,
  toHex,
  u32,
  union,
} from '@starling/core';
import { hashCodec, signatureCodec } from '@starling/crypto';
import { type CertificateHash, certificateBytesCodec } from './certificate.ts';
import { EVIDENCE_BYTES_MAX } from './evidence.ts';
import { THANKERS_MAX, THANKS_BYTES_MAX } from './thanks.ts';
import { ROUNDS_VERSION } from './version.ts';

/** Direct-stream protocol for everything that gossip may have lost. */
export const SYNC_PROTOCOL = `/starling/rounds/${ROUNDS_VERSION}/sync`;

/** Gossip topic on which jobs are announced; one per swarm. */
export const jobsTopic = `starling/rounds/${ROUNDS_VERSION}/jobs`;
/** Gossip topic of one job's control messages. */
export const jobTopic = (job: JobId): string => `starling/rounds/${ROUNDS_VERSION}/job/${job}`;

/** Gossip topic of one cell of an attempt, by the cell's digest. */
export const cellTopic = (job: JobId, cell: Uint8Array): string =>
  `${jobTopic(job)}/cell/${toHex(cell)}`;

/** Certificates in one answer; whoever gets so many asks again from where it got. */
export const CHAIN_ANSWER_MAX = 32;

/** Thanks in one answer: of some rounds at least. */
export const THANKS_ANSWER_MAX = 16 * THANKERS_MAX;

/** Bytes of the filter that says what one holds; 16 bits for each of 12,000 envelopes. */
export const HAVE_BYTES_MAX = 24 * 1024;

/** What travels on a job's topic: signed envelopes, and hints of how far the sender is. */
export const gossipCodec = union({
  envelope: struct({ bytes: bytes(1, LIMITS.controlBytesMax - 64) }),
  head: struct({ round: u32(1_000_000), certificate: nullable(hashCodec<CertificateHash>()) }),
  /** Canonical evidence against a peer. */
  evidence: struct({ bytes: bytes(1, EVIDENCE_BYTES_MAX) }),
  /** The launcher's word that the job is over. */
  cancel: struct({ signature: signatureCodec }),
  /** A survivor's receipt for what others served it. */
  thanks: struct({ thanks: bytes(1, THANKS_BYTES_MAX) }),
});
export type Gossip = Decoded<typeof gossipCodec>;

export const syncRequestCodec = union({
  /** Signed manifests of the jobs the other side knows. */
  jobs: struct({}),
  /** Holds a signed manifest and its model for the launcher; answered when both are durable. */
  hold: struct({ manifest: bytes(1, 16 * 1024) }),
  /**
   * Envelopes of round `round` that are not in the Bloom filter `have`; answered by `chain` when
   * the other side is further on. A fresh salt each time: what it hid once comes the next time.
   */
  envelopes: struct({
    job: hashCodec<JobId>(),
    round: u32(1_000_000),
    /** Only what was said in the cell of this digest; what was said to everybody when null. */
    cell: nullable(bytes(32)),
    salt: u32(),
    have: bytes(0, HAVE_BYTES_MAX),
  }),
  /** The job's certificates from `fromRound` on. */
  chain: struct({ job: hashCodec<JobId>(), fromRound: u32(1_000_000) }),
  /** Thanks for rounds from `fromRound` on. */
  thanks: struct({ job: hashCodec<JobId>(), fromRound: u32(1_000_000) }),
});
export type SyncRequest = Decoded<typeof syncRequestCodec>;

export const syncAnswerCodec = union({
  jobs: struct({ manifests: list(bytes(1, 16 * 1024), 256) }),
  held: struct({}),
  envelopes: struct({ envelopes: list(bytes(1, LIMITS.controlBytesMax), 1024) }),
  chain: struct({ certificates: list(certificateBytesCodec, CHAIN_ANSWER_MAX) }),
  refused: struct({ reason: bytes(0, 256) }),
  /** The job is over before its end: the launcher's signature. */
  cancelled: struct({ signature: signatureCodec }),
  /** Of whole rounds, the earliest first; who gets any asks again from behind them. */
  thanks: struct({ thanks: list(bytes(1, THANKS_BYTES_MAX), THANKS_ANSWER_MAX) }),
});
export type SyncAnswer = Decoded<typeof syncAnswerCodec>;
/** Bytes of a sync answer's body. */
export const SYNC_ANSWER_BYTES_MAX = 8 * 1024 * 1024;
