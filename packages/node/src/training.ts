import { type BlobHash, ProtocolError, toHex } from '@starling/core';
import { type Effort, EXAMPLES_MAX } from '@starling/federation';
import type { Job } from '@starling/protocol-rounds';
import {
  codecOf,
  type PreparedJob,
  publicSeedOf,
  type TrainingProgress,
  type Update,
} from '@starling/rounds';
import type { NodeParts } from './parts.ts';
import type { VectorStore } from './vectors.ts';

interface RoundInput {
  readonly node: NodeParts;
  readonly job: Job;
  readonly vectors: VectorStore;
  readonly prepared: PreparedJob;
  readonly stateHash: BlobHash;
  readonly round: number;
  /** With error feedback: what earlier updates left over. */
  readonly leftOver?: () => Promise<Float32Array | undefined>;
  /** Told every few seconds while the training lasts. */
  readonly onProgress: (progress: TrainingProgress) => void;
}

export interface TrainedRound {
  readonly update: Update;
  readonly words: Uint32Array;
  /** With error feedback: what this update leaves over, should it be certified. */
  readonly residual: Float32Array | undefined;
  readonly effort: Effort;
}

/**
 * One round's local work: evaluate the incoming model, train, clip, quantise, add the job's noise.
 * The ring words stay in the vector store under the update's handle.
 * @throws ProtocolError when the state is not held, or the update is not finite
 */
export async function trainRound(input: RoundInput): Promise<TrainedRound> {
  const { leftOver, node, job, vectors, prepared, stateHash, round, onProgress } = input;
  const state = await node.blobs.get(stateHash);
  if (state === undefined)
    throw new ProtocolError('state-missing', `state ${stateHash} is not held`);
  const { model } = await node.compute.run('decode', { state });
  const codec = codecOf(job.manifest);
  // Metrics would need noise of their own: a job with noise has none (decision 0020).
  const evaluation =
    codec.noise === undefined
      ? await prepared.evaluate(model, EXAMPLES_MAX)
      : { lossSum: 0, correct: 0, examples: 0 };
  const seed = new DataView(node.random.bytes(4).buffer).getUint32(0);
  const rounds = job.manifest.stop.rounds;
  const context = { round: round - 1, rounds };
  const trained = await prepared.train(model, seed, context, onProgress);
  const effort = { examples: trained.examples, localSteps: trained.localSteps };
  const { words, residual } = await node.compute.run('quantise', {
    update: trained.update,
    trainable: prepared.layout.parameters,
    effort,
    metrics: evaluation,
    seed: node.random.bytes(32),
    publicSeed: publicSeedOf(job.id, stateHash),
    residual: await leftOver?.(),
    codec,
  });
  const id = `${round}-${toHex(node.random.bytes(8))}`;
  const handle = `${job.id}/update/${id}`;
  vectors.putWords(handle, words);
  return { update: { id, handle }, words, residual, effort };
}
