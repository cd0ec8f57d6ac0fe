import { ConfigError, ProtocolError } from '@starling/core';
import { updateCodec } from '@starling/federation';
import { DEFAULT_AGGREGATION, DEFAULT_TRAINING, type Manifest } from '@starling/protocol-rounds';
import { codecOf, fewestInSum, guaranteeOf, manifestFault, noiseForJob } from '@starling/rounds';

export interface PlanQuestion {
  readonly epsilon: number;
  readonly delta: number;
  readonly rounds: number;
  /** Updates of one peer; a tenth more than the rounds unless told. */
  readonly updates?: number;
  readonly peers: number;
  readonly minPeers: number;
  /** Weights of the model. */
  readonly parameters: number;
  readonly ringBits: number;
  readonly clippingNorm: number;
}

export interface PrivacyPlan {
  readonly noiseMultiplier: number;
  readonly epsilon: number;
  readonly delta: number;
  readonly updatesMax: number;
  /** Fewest updates in a sum, and fewest of them whose noise is counted on. */
  readonly survivorsMin: number;
  readonly honestMin: number;
  /** Noise that each peer adds to each weight, and what is left of it in the mean of all peers. */
  readonly noisePerPeer: number;
  readonly noiseOfMean: number;
  /** L2 norm of the mean's noise over the clipping norm, which no mean exceeds. */
  readonly relativeError: number;
  /** Fewest bits of the ring that cost at most 1 % more noise than the most bits. */
  readonly ringBitsNeeded: number;
}

/** What a job with this guarantee needs, before there is a job. @throws ConfigError */
export function planPrivacy(question: PlanQuestion): PrivacyPlan {
  const { parameters, peers, clippingNorm, epsilon } = question;
  const plain = manifestOf(question);
  const fault = manifestFault({ ...plain, privacy: NO_NOISE });
  if (fault !== undefined) throw new ConfigError('plan', fault);
  const manifest = withNoise(plain, parameters, epsilon);
  const { noiseMultiplier } = manifest.privacy;
  const guarantee = guaranteeOf(manifest, parameters)!;
  const fewest = fewestInSum(manifest);
  const grid = updateCodec(codecOf(manifest));
  const noisePerPeer = grid.sigma * grid.step;
  const noiseOfMean = noisePerPeer / Math.sqrt(peers);
  return {
    ...{ noiseMultiplier, epsilon: guarantee.epsilon, delta: guarantee.delta },
    ...{ updatesMax: guarantee.updatesMax, ...fewest, noisePerPeer, noiseOfMean },
    relativeError: (noiseOfMean * Math.sqrt(parameters)) / clippingNorm,
    ringBitsNeeded: fewestBits(plain, parameters, epsilon) ?? question.ringBits,
  };
}

const NO_NOISE = { mechanism: 'none', noiseMultiplier: 0, delta: 0, updatesMax: 0 } as const;
const BITS = Array.from({ length: 15 }, (_, i) => 16 + i);

function withNoise(manifest: Manifest, parameters: number, epsilon: number): Manifest {
  try {
    const noiseMultiplier = noiseForJob(manifest, parameters, epsilon);
    return { ...manifest, privacy: { ...manifest.privacy, noiseMultiplier } };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const enough = fewestBits(manifest, parameters, epsilon);
    const hint =
      enough === undefined
        ? 'Take more peers, fewer rounds or a greater epsilon'
        : `Take --ring-bits ${enough}`;
    throw new ConfigError('plan', error.message, hint);
  }
}

/**
 * Fewest ring bits with hardly more noise than the most bits need: on a coarse grid rounding makes
 * updates longer, and longer updates need more noise.
 */
function fewestBits(manifest: Manifest, parameters: number, epsilon: number): number | undefined {
  const noises = BITS.map((ringBits) => noiseWith(manifest, ringBits, parameters, epsilon));
  const least = Math.min(...noises);
  return BITS.find((_, i) => Number.isFinite(least) && noises[i]! <= least * 1.01);
}

/** Infinite where a manifest with so many bits would be refused. */
function noiseWith(
  manifest: Manifest,
  ringBits: number,
  parameters: number,
  epsilon: number,
): number {
  const given = { ...manifest, aggregation: { ...manifest.aggregation, ringBits } };
  if (manifestFault({ ...given, privacy: NO_NOISE }) !== undefined) return Number.POSITIVE_INFINITY;
  try {
    return noiseForJob(given, parameters, epsilon);
  } catch (error) {
    if (error instanceof ProtocolError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function manifestOf(question: PlanQuestion): Manifest {
  const { delta, rounds, peers, minPeers, ringBits, clippingNorm } = question;
  const updatesMax = question.updates ?? rounds + Math.ceil(rounds / 10);
  return {
    name: 'plan',
    model: '0'.repeat(64) as Manifest['model'],
    data: { task: 'plan', inputType: 'float32', inputShape: [1], target: 'none', classes: 0 },
    loss: 'model-output',
    training: DEFAULT_TRAINING,
    aggregation: { ...DEFAULT_AGGREGATION, ringBits, clippingNorm },
    privacy: { mechanism: 'distributed-gaussian', noiseMultiplier: 1, delta, updatesMax },
    admission: { minPeers, maxPeers: peers, joinWindowSeconds: 5, participation: 1 },
    stop: { rounds, target: null, seconds: 0 },
    nonce: new Uint8Array(16),
  };
}
