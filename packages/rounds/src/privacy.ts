import { ProtocolError } from '@starling/core';
import { type UpdateCodec, updateCodec } from '@starling/federation';
import {
  distributedGaussianRho,
  epsilonOf,
  gaussianRho,
  noiseFor,
  roundedNorm,
} from '@starling/privacy';
import type { Manifest, Privacy } from '@starling/protocol-rounds';
import { fewestInSum } from './cells.ts';
import { codecOf } from './job-codec.ts';
import type { VectorLayout } from './trainer.ts';

/** What a job promises to each who takes part, whatever the others do with what they see. */
export interface Guarantee {
  /** zCDP of one update. */
  readonly rho: number;
  /** Updates that are counted, and ε of all of them at `delta`. */
  readonly updatesMax: number;
  readonly epsilon: number;
  readonly delta: number;
  readonly noiseMultiplier: number;
}

/** δ above this promises nothing: one in so many participants may be given away altogether. */
const DELTA_MAX = 0.01;
/** Below this the accountant's numbers underflow. */
const DELTA_MIN = 1e-30;
/** Norms for which the steps of every grid are numbers like others. */
const NORM_MIN = 1e-9;
const NORM_MAX = 1e9;
const NORM_FAULT = `aggregation.clippingNorm must be ${NORM_MIN} to ${NORM_MAX} with privacy`;
const isUsualNorm = ({ aggregation: { clippingNorm } }: Manifest): boolean =>
  clippingNorm >= NORM_MIN && clippingNorm <= NORM_MAX;
/** More noise than this drowns every sum, less promises nothing. */
const MULTIPLIER_MAX = 1e4;
const MULTIPLIER_MIN = 0.01;

/** Why no peer should trust a manifest's settings of privacy, or undefined. */
export function privacyFault(manifest: Manifest): string | undefined {
  const { privacy, aggregation, stop } = manifest;
  const { mechanism, noiseMultiplier: multiplier, delta, updatesMax } = privacy;
  if (mechanism === 'none') {
    const isEmpty = multiplier === 0 && delta === 0 && updatesMax === 0;
    return isEmpty ? undefined : 'privacy.mechanism is none, so its numbers must be 0';
  }
  const checks: readonly [ok: boolean, fault: string][] = [
    [
      multiplier >= MULTIPLIER_MIN && multiplier <= MULTIPLIER_MAX,
      `privacy.noiseMultiplier must be ${MULTIPLIER_MIN} to ${MULTIPLIER_MAX}`,
    ],
    [
      delta >= DELTA_MIN && delta <= DELTA_MAX,
      `privacy.delta must be ${DELTA_MIN} to ${DELTA_MAX}`,
    ],
    [isUsualNorm(manifest), NORM_FAULT],
    [updatesMax >= stop.rounds, 'privacy.updatesMax must be at least stop.rounds'],
    [
      aggregation.weighting === 'uniform',
      'privacy needs aggregation.weighting uniform: numbers of examples would travel without noise',
    ],
    [
      aggregation.algorithm !== 'fednova',
      'privacy cannot have algorithm fednova: numbers of steps would travel without noise',
    ],
    [
      aggregation.rotation === 'none',
      'privacy cannot have aggregation.rotation: its accountant counts with another grid',
    ],
    [
      aggregation.sparsity === 1,
      'privacy cannot have aggregation.sparsity: its accountant counts with all weights',
    ],
    [
      !aggregation.errorFeedback,
      'privacy cannot have aggregation.errorFeedback: an update would tell of those before it',
    ],
    [
      stop.target === null,
      'privacy cannot have stop.target: metrics would travel without noise, so there are none',
    ],
  ];
  return checks.find(([ok]) => !ok)?.[1] ?? ringFault(manifest);
}

/** Whether values and noise fit the ring, and the noise the grid. */
function ringFault(manifest: Manifest): string | undefined {
  try {
    updateCodec(codecOf(manifest));
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const way = 'raise aggregation.ringBits or admission.minPeers, or lower admission.maxPeers';
    return `${error.message}: ${way}, or change privacy`;
  }
}

/** Why a model cannot be trained with noise, or undefined. */
export function layoutFault(manifest: Manifest, layout: VectorLayout): string | undefined {
  const { parameters, buffers } = layout;
  if (manifest.privacy.mechanism === 'none') return undefined;
  if (parameters === 0) return 'no weight of the model is trained: there is nothing to hide';
  if (buffers === 0) return undefined;
  const way =
    'use a model without BatchNormalization, for instance with GroupNormalization, or name them ' +
    'in training.personal';
  return `no noise covers the model's ${buffers} running statistics: ${way}`;
}

/**
 * ρ of one update among the fewest honest peers that a sum may have: the inflated clipping norm
 * over the noise of those, and what the sum of their noise lacks of a Gaussian.
 */
export function rhoOfUpdate(manifest: Manifest, parameters: number): number {
  const { honestMin } = fewestInSum(manifest);
  const grid = updateCodec(codecOf(manifest));
  const l2 = hiddenNorm(grid, parameters) / grid.step;
  return distributedGaussianRho({
    ...{ l2, l1: l2 * Math.sqrt(parameters), sigma: grid.sigma },
    ...{ peers: honestMin, dimension: parameters },
  });
}

const hiddenNorm = ({ clippingNorm: norm, step }: UpdateCodec, dimension: number): number =>
  roundedNorm({ norm, step, dimension });

/** @returns undefined for a job without noise */
export function guaranteeOf(manifest: Manifest, parameters: number): Guarantee | undefined {
  const { mechanism, noiseMultiplier, delta, updatesMax } = manifest.privacy;
  if (mechanism === 'none') return undefined;
  const rho = rhoOfUpdate(manifest, parameters);
  const epsilon = epsilonOf(rho * updatesMax, delta);
  return { rho, updatesMax, epsilon, delta, noiseMultiplier };
}

/**
 * Least noise multiplier with which a job stays within `epsilon`.
 * @throws ProtocolError 'codec' where that noise does not fit the ring, or the norm no grid
 */
export function noiseForJob(manifest: Manifest, parameters: number, epsilon: number): number {
  const { delta, updatesMax } = manifest.privacy;
  if (!isUsualNorm(manifest)) throw new ProtocolError('codec', NORM_FAULT);
  // Rounded norms are larger, and the more so the coarser the grid: the plain answer falls short.
  const plain = noiseFor(epsilon, (z) => epsilonOf(updatesMax * gaussianRho(z), delta));
  let multiplier = plain;
  for (let i = 0; i < GUESSES; i++) {
    const privacy: Privacy = { ...manifest.privacy, noiseMultiplier: multiplier };
    const rho = rhoOfUpdate({ ...manifest, privacy }, parameters);
    if (epsilonOf(rho * updatesMax, delta) <= epsilon) return multiplier;
    const short = Math.sqrt(rho / gaussianRho(multiplier));
    multiplier = Math.max(multiplier * (1 + 1e-6), plain * short);
  }
  throw new ProtocolError('codec', `no noise multiplier gives an epsilon of ${epsilon}`);
}
const GUESSES = 40;
