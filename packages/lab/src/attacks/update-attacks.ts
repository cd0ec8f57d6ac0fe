import type { Generator } from '@starling/autodiff';
import { assert, unreachable } from '@starling/core';
import { normal } from '../random.ts';
import type { Attack } from '../schema.ts';

/** What the attackers of a round know: they collude, and train honestly to see what others do. */
export interface Collusion {
  /** Their honest updates, [attackers][parameters]. */
  readonly honest: readonly Float32Array[];
  /** All who take part in the round. */
  readonly participants: number;
  readonly generator: Generator;
}

/**
 * What an attacker sends in place of its honest update. It obeys no clipping norm: what leaves it
 * is bounded by nothing but the ring's grid, to ±clippingNorm in each coordinate.
 * @param own the honest update of this attacker, [parameters]; of attacks on data as it is
 */
export function craft(attack: Attack, own: Float32Array, collusion: Collusion): Float32Array {
  const { honest, participants, generator } = collusion;
  switch (attack.kind) {
    case 'label-flip':
      return own;
    case 'sign-flip':
      return scaled(own, -attack.scale);
    case 'scaling':
      return scaled(own, attack.scale);
    case 'gaussian':
      return noiseOf(own.length, attack.scale * normOf(own), generator);
    case 'little-is-enough':
      return littleIsEnough(collusion, attack.deviations);
    case 'inner-product':
      return scaled(meanOf(honest), -attack.scale);
    case 'replacement':
      return scaled(own, attack.scale ?? participants / honest.length);
    case 'free-rider':
      return noiseOf(own.length, attack.noise, generator);
    default:
      return unreachable(attack);
  }
}

const scaled = (vector: Float32Array, factor: number): Float32Array =>
  vector.map((value) => factor * value);

const normOf = (vector: Float32Array): number =>
  Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

/** Noise in all directions, of about this L2 norm. */
function noiseOf(length: number, norm: number, generator: Generator): Float32Array {
  const deviation = norm / Math.sqrt(length);
  const noise = new Float32Array(length);
  if (deviation > 0) for (let i = 0; i < length; i++) noise[i] = deviation * normal(generator);
  return noise;
}

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const mean = new Float64Array(vectors[0]!.length);
  for (const vector of vectors) for (let i = 0; i < mean.length; i++) mean[i]! += vector[i]!;
  return Float32Array.from(mean, (sum) => sum / vectors.length);
}

/**
 * "A little is enough" (Baruch et al. 2019, algorithm 3): each coordinate of the mean is moved by
 * z standard deviations, as far as a majority of honest updates lies, so that none stands out.
 */
function littleIsEnough(
  { honest, participants }: Collusion,
  deviations = hiddenDeviations(participants, honest.length),
): Float32Array {
  const mean = meanOf(honest);
  const squares = new Float64Array(mean.length);
  for (const vector of honest) {
    for (let i = 0; i < mean.length; i++) squares[i]! += (vector[i]! - mean[i]!) ** 2;
  }
  return mean.map((value, i) => value - deviations * Math.sqrt(squares[i]! / honest.length));
}

/**
 * The greatest z that hides: s = ⌊n/2 + 1⌋ − m honest updates must be further from the mean than
 * the m attackers', and a part (n − m − s)/(n − m) of a normal distribution lies below z.
 */
export function hiddenDeviations(participants: number, attackers: number): number {
  const others = participants - attackers;
  const supporters = Math.floor(participants / 2 + 1) - attackers;
  const share = (others - supporters) / others;
  if (!(share > 0)) return 0;
  return share >= 1 ? DEVIATIONS_MAX : Math.max(0, normalQuantile(share));
}

/** With a majority of attackers everything hides; some bound there must be. */
const DEVIATIONS_MAX = 3;

/** By halving: monotone, and exact to 1e-6. */
export function normalQuantile(share: number): number {
  assert(share > 0 && share < 1, `a share of ${share}`);
  let [low, high] = [-8, 8];
  while (high - low > 1e-7) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Φ(z) by Abramowitz and Stegun 26.2.17, error below 7.5e-8. */
function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const tail = series.reduceRight((sum, each) => (sum + each) * t, 0);
  const above = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * tail;
  return z >= 0 ? 1 - above : above;
}
