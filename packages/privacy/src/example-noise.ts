import { assert } from '@starling/core';
import type { ByteStream } from './discrete-gaussian.ts';
import { epsilonOfRdp, noiseFor, sampledGaussianRdp, WHOLE_ORDERS } from './rdp.ts';

/** What one training by DP-SGD (Abadi et al. 2016) costs each of its examples. */
export interface ExampleCost {
  /** Standard deviation of a step's noise over the norm that one example's gradient may have. */
  readonly multiplier: number;
  /** Probability with which a step draws an example, above 0, at most 1. */
  readonly rate: number;
  readonly steps: number;
}

/**
 * Least ε at `delta` of all these trainings together, of an example that is replaced by none: the
 * Rényi divergences of the sampled Gaussian (Mironov, Talwar & Zhang 2019) add up, order by order.
 */
export function epsilonOfExamples(costs: readonly ExampleCost[], delta: number): number {
  const alike = new Map<string, ExampleCost>();
  for (const cost of costs) {
    const key = `${cost.multiplier} ${cost.rate}`;
    alike.set(key, { ...cost, steps: cost.steps + (alike.get(key)?.steps ?? 0) });
  }
  const curves = Array.from(alike.values(), ({ multiplier, rate, steps }) => {
    const curve = sampledGaussianRdp(multiplier, rate);
    return (order: number) => steps * curve(order);
  });
  if (curves.length === 0) return 0;
  const total = (order: number) => curves.reduce((sum, curve) => sum + curve(order), 0);
  return epsilonOfRdp(total, delta, WHOLE_ORDERS);
}

/** Least noise multiplier with which trainings of so many steps stay within `epsilon`. */
export function noiseForExamples(
  target: { readonly epsilon: number; readonly delta: number },
  { rate, steps }: Omit<ExampleCost, 'multiplier'>,
): number {
  return noiseFor(target.epsilon, (multiplier) =>
    epsilonOfExamples([{ multiplier, rate, steps }], target.delta),
  );
}

/**
 * Numbers below `count`, each drawn with probability `rate` on its own, in order: a Poisson sample.
 * The probability is rounded down to a multiple of 2^-32, which costs less than is counted.
 */
export function poissonSample(count: number, rate: number, stream: ByteStream): Int32Array {
  assert(rate > 0 && rate <= 1, `sampling rate: ${rate}`);
  const threshold = Math.floor(rate * 2 ** 32);
  const words = viewOf(stream.next(4 * count));
  const drawn = new Int32Array(count);
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (words.getUint32(4 * i, true) < threshold) drawn[length++] = i;
  }
  return drawn.slice(0, length);
}

/** Bytes that `gaussianNoise` takes for so many values. */
export const gaussianBytes = (count: number): number => BYTES_PER_PAIR * Math.ceil(count / 2);
const BYTES_PER_PAIR = 16;
const PIECE_PAIRS = 8 * 1024;

/**
 * Independent normal numbers of this standard deviation, in float32, by Box and Muller (1958) from
 * uniforms of 53 bits: no draw is beyond 8.6 deviations. As with all noise in floating point, its
 * lowest bits do not hide what it is added to as exact noise would (Mironov 2012), which
 * `discreteGaussian` does. Takes `gaussianBytes(count)` bytes of the stream.
 */
export function gaussianNoise(count: number, deviation: number, stream: ByteStream): Float32Array {
  const values = new Float32Array(count);
  for (let at = 0; at < count; at += 2 * PIECE_PAIRS) {
    const pairs = Math.min(PIECE_PAIRS, Math.ceil((count - at) / 2));
    const words = viewOf(stream.next(BYTES_PER_PAIR * pairs));
    for (let i = 0; i < pairs; i++) {
      // From 2^-53 to 1: the logarithm is finite.
      const length = Math.sqrt(-2 * Math.log(uniformAt(words, BYTES_PER_PAIR * i) + 2 ** -53));
      const angle = 2 * Math.PI * uniformAt(words, BYTES_PER_PAIR * i + 8);
      const place = at + 2 * i;
      values[place] = deviation * length * Math.cos(angle);
      if (place + 1 < count) values[place + 1] = deviation * length * Math.sin(angle);
    }
  }
  return values;
}

/** Uniform in [0, 1), 53 bits, from 8 bytes. */
const uniformAt = (words: DataView, at: number): number =>
  (words.getUint32(at, true) * 2 ** 21 + (words.getUint32(at + 4, true) >>> 11)) * 2 ** -53;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
