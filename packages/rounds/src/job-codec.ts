import { type BlobHash, fromHex, type JobId, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import {
  type Combination,
  type JobCodec,
  type ServerOptimizer,
  wordLayout,
} from '@starling/federation';
import { type Aggregation, type Manifest, ROUNDS_LABEL } from '@starling/protocol-rounds';
import { fewestInSum, sumPeersMax } from './cells.ts';
import type { VectorLayout } from './trainer.ts';

/** The grids and the server optimiser of a job: the same in every round and roster. */
export function codecOf(manifest: Manifest): JobCodec {
  const { aggregation, privacy, stop, training } = manifest;
  const { ringBits, clippingNorm, bufferRange, weighting, weightCap, rotation, errorFeedback } =
    aggregation;
  return {
    ...{ bits: ringBits, peersMax: sumPeersMax(manifest), clippingNorm, bufferRange },
    optimizer: serverOptimizerOf(manifest),
    combination: combinationOf(aggregation),
    ...(weighting === 'examples' && { weightCap }),
    ...(NORMALISED.has(aggregation.algorithm) && { referenceSteps: aggregation.referenceSteps }),
    ...(rotation !== 'none' && { rotation }),
    ...(errorFeedback && { errorFeedback }),
    ...(aggregation.sparsity < 1 && { sparsity: aggregation.sparsity }),
    ...(stop.seconds > 0 && { timed: true }),
    ...(training.metrics.length > 0 && { named: training.metrics.length }),
    ...(privacy.mechanism !== 'none' && {
      noise: { multiplier: privacy.noiseMultiplier, ...fewestInSum(manifest) },
    }),
  };
}

/** Algorithms whose updates count the same however many steps they took. */
const NORMALISED: ReadonlySet<Aggregation['algorithm']> = new Set(['fednova', 'scaffold']);

function combinationOf({ combination, corruptCells: corrupt }: Aggregation): Combination {
  if (combination === 'multi-krum' || combination === 'trimmed-mean') {
    return { kind: combination, corrupt };
  }
  return { kind: combination };
}

function serverOptimizerOf({ aggregation, training, admission }: Manifest): ServerOptimizer {
  const { algorithm, learningRate, momentum, beta1, beta2, tau } = aggregation;
  switch (algorithm) {
    case 'fedavgm':
      return { kind: 'fedavgm', learningRate, momentum };
    case 'diloco':
      return { kind: 'nesterov', learningRate, momentum };
    case 'fedadam':
    case 'fedyogi':
    case 'fedadagrad':
      return { kind: algorithm, learningRate, beta1, beta2, tau };
    case 'scaffold':
      return {
        ...{ kind: 'scaffold', learningRate, localRate: training.learningRate },
        ...{ localSteps: aggregation.referenceSteps, participation: admission.participation },
      };
    default:
      return { kind: 'fedavg', learningRate };
  }
}

/** Length of a job's vector: the model's, and what travels behind it (design decision 14b). */
export const vectorLengthOf = (manifest: Manifest, layout: VectorLayout): number =>
  wordLayout(codecOf(manifest), layout).length;

/**
 * What all peers of a round draw alike from: the signs of its rotation, the weights that are sent.
 * It follows from the state that the round starts from: every attempt and restart has the same.
 */
export const publicSeedOf = (job: JobId, stateHash: BlobHash): Uint8Array =>
  sha256(utf8(`${ROUNDS_LABEL}/public-seed`), fromHex(job), fromHex(stateHash));
