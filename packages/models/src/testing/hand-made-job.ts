import { applyVector, initialVector, zooModel } from '@starling/autodiff';
import { type BlobHash, compareText, encodeCanonical, type JobId } from '@starling/core';
import { hashHex, type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import { encodeState } from '@starling/federation';
import { readModel, writeModel } from '@starling/onnx';
import {
  type Certificate,
  type CertificateHash,
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  type Manifest,
  NO_PRIVACY,
  type Proof,
  proofCodec,
  type Statement,
  signManifest,
  signStatement,
  statementHash,
} from '@starling/protocol-rounds';
import { toBitmap } from '@starling/secagg';

/** Four peers in the roster's order, of whom three make a quorum. */
export const KEYS: readonly SigningKey[] = [1, 2, 3, 4]
  .map((seed) => signingKeyFromSeed(new Uint8Array(32).fill(seed)))
  .toSorted((a, b) => compareText(a.peerId, b.peerId));
export const LAUNCHED = writeModel(zooModel('logistic', 1));

export const MANIFEST: Manifest = {
  name: 'by-hand',
  model: hashHex(LAUNCHED) as BlobHash,
  data: { task: 'mnist', inputType: 'float32', inputShape: [784], target: 'classes', classes: 10 },
  loss: 'softmax-cross-entropy',
  training: DEFAULT_TRAINING,
  aggregation: DEFAULT_AGGREGATION,
  privacy: NO_PRIVACY,
  admission: { minPeers: 3, maxPeers: 64, joinWindowSeconds: 5, participation: 1 },
  stop: { rounds: 2, target: null, seconds: 0 },
  nonce: new Uint8Array(16),
};
export const SIGNED = signManifest(MANIFEST, KEYS[0]!);
export const JOB = hashHex(SIGNED) as JobId;

/** The launched model with every weight moved by `step`. */
export function modelAfter(step: number): Uint8Array {
  const vector = initialVector(readModel(LAUNCHED));
  return applyVector(
    LAUNCHED,
    vector.map((weight) => weight + step),
  );
}

export function stateHashOf({ model, round, moments = [] }: Made): BlobHash {
  const vector = initialVector(readModel(model));
  const state = encodeState({ round, model: vector, trainable: vector.length, moments });
  return hashHex(state) as BlobHash;
}

export interface Made {
  readonly round: number;
  readonly parent: CertificateHash;
  readonly model: Uint8Array;
  readonly signers?: number;
  readonly moments?: readonly Float32Array[];
}

export function certify(made: Made): Certificate {
  const { round, parent, signers = 3 } = made;
  const statement: Statement = {
    ...{ jobId: JOB, round, restarts: 0, attempt: 0, parent },
    stateHash: stateHashOf(made),
    roster: KEYS.map(({ peerId }) => peerId),
    survivors: toBitmap([0, 1, 2, 3], 4),
    metrics: { lossSum: 50, correct: 90, examples: 100, seconds: 0 },
  };
  const signatures = KEYS.slice(0, signers).map((key, member) => {
    return { member, signature: signStatement(statement, key) };
  });
  return { statement, signatures };
}

/** Two rounds; the second model is the one to be verified. */
export function chainOf(signersOfLast = 3): readonly Certificate[] {
  const parent = JOB as string as CertificateHash;
  const first = certify({ round: 1, parent, model: modelAfter(0.25) });
  const second = { round: 2, parent: statementHash(first.statement), model: modelAfter(0.5) };
  return [first, certify({ ...second, signers: signersOfLast })];
}

export const proofOf = (
  certificates: readonly Certificate[],
  { manifest = SIGNED, moments = [], membership = null, thanks = [] }: Partial<Proof> = {},
): Uint8Array =>
  encodeCanonical(proofCodec, {
    manifest,
    certificates,
    moments,
    membership,
    thanks,
  } satisfies Proof);
