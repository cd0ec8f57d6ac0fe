import { type BlobHash, ProtocolError, toHex } from '@starling/core';
import { type Effort, EXAMPLES_MAX } from '@starling/federation';
import type { Job } from '@starling/protocol-rounds';
import {
  type Chain,
  codecOf,
  type PreparedJob,
  publicSeedOf,
  type TrainingProgress,
  type Update,
} from '@starling/rounds';
import type { ControlVariates } from './control-variates.ts';
import type { OwnVectors } from './own-vectors.ts';
import type { NodeParts } from './parts.ts';
import type { VectorStore } from './vectors.ts';

/** Name of the weights that a peer trains for itself. */
export const PERSONAL = 'personal';

interface RoundInput {
  readonly node: NodeParts;
  readonly job: Job;
  readonly vectors: VectorStore;
  readonly prepared: PreparedJob;
  readonly stateHash: BlobHash;
  readonly round: number;
  /** Certificates before the round. */
  readonly chain: Chain;
  /** What this peer keeps for itself. */
  readonly own: OwnVectors;
  /** Of jobs with SCAFFOLD. */
  readonly variates: ControlVariates | undefined;
  /** With error feedback: what earlier updates left over. */
  readonly leftOver?: () => Promise<Float32Array | undefined>;
  /** Seconds of the round so far, for a job that ends after a time. */
  readonly seconds: () => number;
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
 * With local DP-SGD nothing is evaluated, since that would travel.
 * The ring words stay in the vector store under the update's handle.
 * @throws ProtocolError when the state is not held, or the update is not finite
 */
export async function trainRound(input: RoundInput): Promise<TrainedRound> {
  const { leftOver, node, job, vectors, prepared, stateHash, round, onProgress } = input;
  const { chain, variates } = input;
  const state = await node.blobs.get(stateHash);
  if (state === undefined)
    throw new ProtocolError('state-missing', `state ${stateHash} is not held`);
  const scaffold = variates && { own: await variates.of(chain) };
  const { model, correction } = await node.compute.run('decode', {
    state,
    ...(scaffold && { scaffold }),
  });
  const personal = await input.own.get(PERSONAL);
  const codec = codecOf(job.manifest);
  // Metrics would need noise of their own: where there is noise, there are none (decision 0020).
  const hidesExamples = prepared.exampleCost !== undefined;
  const evaluation =
    codec.noise === undefined && !hidesExamples
      ? await prepared.evaluate(model, EXAMPLES_MAX, personal)
      : { lossSum: 0, correct: 0, examples: 0 };
  const seed = new DataView(node.random.bytes(4).buffer).getUint32(0);
  const rounds = job.manifest.stop.rounds;
  const context = {
    ...{ round: round - 1, rounds, personal },
    ...(correction && { control: correction }),
    ...(hidesExamples && { noiseKey: node.random.bytes(32) }),
  };
  const trained = await prepared.train(model, seed, context, onProgress);
  // Whatever becomes of the update, what it was trained with stays here.
  if (trained.personal !== undefined) await input.own.put(PERSONAL, trained.personal);
  const effort = { examples: trained.examples, localSteps: trained.localSteps };
  const { words, residual, own } = await node.compute.run('quantise', {
    update: trained.update,
    trainable: prepared.layout.parameters,
    effort,
    // Of examples that are hidden, how long they took to train stays hidden, too.
    metrics: { ...evaluation, seconds: hidesExamples ? 0 : input.seconds() },
    seed: node.random.bytes(32),
    publicSeed: publicSeedOf(job.id, stateHash),
    residual: await leftOver?.(),
    codec,
    ...(correction && { correction }),
  });
  const id = `${round}-${toHex(node.random.bytes(8))}`;
  if (own !== undefined) await variates?.keep(id, own, chain);
  const handle = `${job.id}/update/${id}`;
  vectors.putWords(handle, words);
  return { update: { id, handle }, words, residual, effort };
}
