import {
  type BlobHash,
  bytes,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  f64,
  type JobId,
  LIMITS,
  list,
  nullable,
  oneOf,
  type PeerId,
  struct,
  text,
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
import { aggregationCodec } from './aggregation.ts';
import { LOSS_NAMES, trainingCodec } from './training.ts';
import { ROUNDS_LABEL } from './version.ts';

/** Elements of an example: numbers, or indices of tokens. */
export const INPUT_TYPES = ['float32', 'int32'] as const;
/** What a model is to answer for an example; with none it has no target. */
export const TARGET_KINDS = ['classes', 'numbers', 'sequence', 'none'] as const;
/** What a job may be run to: a number that stands in every certificate. */
export const TARGET_METRICS = ['accuracy', 'loss'] as const;
/** What is added to an update before it is masked. */
export const MECHANISM_NAMES = ['none', 'distributed-gaussian'] as const;

/**
 * Everything that peers must agree on before a round: the job, content-addressed. Every duration is
 * in seconds. Values a peer does not accept are its own business (policy), not the codec's.
 */
export const manifestCodec = struct({
  name: text(128),
  model: hashCodec<BlobHash>(),
  data: struct({
    task: text(64),
    inputType: oneOf(INPUT_TYPES),
    inputShape: list(u32(), 8),
    target: oneOf(TARGET_KINDS),
    /** Of targets that are classes, or different tokens of a sequence; 0 for others. */
    classes: u32(1_000_000),
  }),
  loss: oneOf(LOSS_NAMES),
  training: trainingCodec,
  aggregation: aggregationCodec,
  /** Without a mechanism the other fields are 0. */
  privacy: struct({
    mechanism: oneOf(MECHANISM_NAMES),
    /** Standard deviation of the noise in a sum, of the honest alone, over the clipping norm. */
    noiseMultiplier: f64,
    /** The guarantee is an epsilon at this delta. */
    delta: f64,
    /** Updates that one peer gives to the job at most; the guarantee covers so many. */
    updatesMax: u32(2_000_000),
  }),
  admission: struct({
    minPeers: u32(LIMITS.rosterPeersMax),
    maxPeers: u32(LIMITS.rosterPeersMax),
    joinWindowSeconds: f64,
    /** Part of the peers that train in a round, drawn anew in each. */
    participation: f64,
  }),
  stop: struct({
    rounds: u32(1_000_000),
    /** The job ends before, when a certificate shows this accuracy or more, this loss or less. */
    target: nullable(struct({ metric: oneOf(TARGET_METRICS), value: f64 })),
    /** The job ends before, when its rounds took so long, by the survivors' clocks; 0 for never. */
    seconds: u32(1_000_000_000),
  }),
  /** Makes two launches of the same file two jobs. */
  nonce: bytes(16),
});
export type Manifest = Decoded<typeof manifestCodec>;
export type Privacy = Manifest['privacy'];

export const NO_PRIVACY: Privacy = {
  ...{ mechanism: 'none', noiseMultiplier: 0, delta: 0, updatesMax: 0 },
};

/** A manifest with its launcher's signature. */
export const signedManifestCodec = struct({
  manifest: bytes(1, 12 * 1024),
  launcher: peerCodec,
  signature: signatureCodec,
});
export type SignedManifest = Decoded<typeof signedManifestCodec>;

export interface Job {
  readonly id: JobId;
  readonly launcher: PeerId;
  readonly manifest: Manifest;
}

const signedBytes = (manifest: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${ROUNDS_LABEL}/manifest`), manifest);

/** The signed manifest's bytes; their SHA-256 is the job's id. */
export function signManifest(manifest: Manifest, key: SigningKey): Uint8Array {
  const encoded = encodeCanonical(manifestCodec, manifest);
  return encodeCanonical(signedManifestCodec, {
    manifest: encoded,
    launcher: key.peerId,
    signature: key.sign(signedBytes(encoded)),
  });
}

/**
 * Reads a signed manifest and checks its signature.
 * @throws DecodeError on malformed bytes or ranges; undefined when the signature is wrong
 */
export function readJob(signed: Uint8Array): Job | undefined {
  const outer = decodeCanonical(signedManifestCodec, signed, LIMITS.controlBytesMax);
  const manifest = decodeCanonical(manifestCodec, outer.manifest, LIMITS.controlBytesMax);
  if (!verify(outer.launcher, signedBytes(outer.manifest), outer.signature)) return undefined;
  return { id: hashHex(signed) as JobId, launcher: outer.launcher, manifest };
}
