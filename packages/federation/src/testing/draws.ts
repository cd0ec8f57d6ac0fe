import { keystream, Secret } from '@starling/crypto';

/** Four bytes for each of `count` draws. */
export const uniformBytes = (seed: number, count: number): Uint8Array =>
  keystream(new Secret(new Uint8Array(32).fill(seed % 256).fill(seed >> 8, 0, 1)), 0, 4 * count);

/** Standard Gaussian numbers (Box & Muller 1958). */
export function gaussianVector(length: number, seed: number): Float32Array {
  const bytes = uniformBytes(seed, 2 * length);
  const draws = new Uint32Array(bytes.slice().buffer);
  return Float32Array.from({ length }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log((draws[2 * i]! + 1) / 2 ** 32));
    return radius * Math.cos((2 * Math.PI * draws[2 * i + 1]!) / 2 ** 32);
  });
}

export const normOf = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
