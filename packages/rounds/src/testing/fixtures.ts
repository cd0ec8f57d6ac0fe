import { type BlobHash, compareText, type PeerId, u32be, utf8 } from '@starling/core';
import { hashHex, type SigningKey, sha256, signingKeyFromSeed } from '@starling/crypto';
import {
  type Certificate,
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  type Job,
  type Manifest,
  NO_PRIVACY,
  readJob,
  type Statement,
  signManifest,
  signStatement,
} from '@starling/protocol-rounds';
import { toBitmap } from '@starling/secagg';
import { type Chain, headHash } from '../chain.ts';

/** Some hash that follows from a name. */
export const hashNamed = (name: string): BlobHash => hashHex(utf8(name)) as BlobHash;

/** Keys of `count` peers, in order of their ids. */
export function testKeys(count: number): readonly SigningKey[] {
  const keys = Array.from({ length: count }, (_, i) => signingKeyFromSeed(sha256(u32be(i))));
  return keys.sort((a, b) => compareText(a.peerId, b.peerId));
}

export interface ManifestChanges {
  readonly training?: Partial<Manifest['training']>;
  readonly aggregation?: Partial<Manifest['aggregation']>;
  readonly privacy?: Partial<Manifest['privacy']>;
  readonly admission?: Partial<Manifest['admission']>;
  readonly rounds?: number;
  readonly target?: Manifest['stop']['target'];
  readonly seconds?: number;
}

/** A manifest without fault, but for the changes. */
export const testManifest = (changes: ManifestChanges = {}): Manifest => ({
  name: 'test',
  model: hashNamed('model'),
  data: { task: 'test', inputType: 'float32', inputShape: [1], target: 'classes', classes: 2 },
  loss: 'softmax-cross-entropy',
  training: { ...DEFAULT_TRAINING, batchSize: 1, ...changes.training },
  aggregation: { ...DEFAULT_AGGREGATION, phaseSeconds: 2, ...changes.aggregation },
  privacy: { ...NO_PRIVACY, ...changes.privacy },
  admission: {
    minPeers: 3,
    maxPeers: 64,
    joinWindowSeconds: 10,
    participation: 1,
    ...changes.admission,
  },
  stop: {
    rounds: changes.rounds ?? 10,
    target: changes.target ?? null,
    seconds: changes.seconds ?? 0,
  },
  nonce: new Uint8Array(16),
});

export const testJob = (launcher: SigningKey, changes: ManifestChanges = {}): Job =>
  readJob(signManifest(testManifest(changes), launcher))!;

export interface CertificateOptions {
  readonly job: Job;
  readonly roster: readonly SigningKey[];
  /** Indices into the roster; everybody unless told. */
  readonly signers?: readonly number[];
  readonly survivors?: readonly number[];
  readonly state?: string;
  /** What the statement says in place of what is right. */
  readonly changes?: Partial<Statement>;
}

/** A certificate that follows `before`. */
export function certificateAfter(before: Chain, options: CertificateOptions): Certificate {
  const { job, roster, state = `state ${before.length + 1}`, changes = {} } = options;
  const all = [...roster.keys()];
  const { survivors = all, signers = all } = options;
  const statement: Statement = {
    jobId: job.id,
    round: before.length + 1,
    restarts: 0,
    attempt: 0,
    parent: headHash(before, job.id),
    stateHash: hashNamed(state),
    roster: roster.map(({ peerId }): PeerId => peerId),
    survivors: toBitmap(survivors, roster.length),
    metrics: { lossSum: 1, correct: 1, examples: 2, seconds: 0 },
    ...changes,
  };
  const signatures = signers.map((member) => ({
    member,
    signature: signStatement(statement, roster[member]!),
  }));
  return { statement, signatures };
}
