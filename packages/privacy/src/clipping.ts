import { assert, ProtocolError } from '@starling/core';

export interface Clipped {
  /** `update` itself when its norm is within the bound, else a scaled copy. */
  readonly clipped: Float32Array;
  /** L2 norm of `update` before clipping. */
  readonly norm: number;
}

/** Rounding a product to float32 may add 2^-24 of it, and the norm's own sum a little more. */
const ROUNDING_MARGIN = 1 - 2 ** -23;

/**
 * Scales `update` down to an L2 norm of at most `bound` (McMahan et al. 2018, "flat clipping"). The
 * guarantee holds for the float32 result as it is, rounding included, for vectors of up to 2^26
 * coordinates: privacy accounting rests on it. Sums run in float64 by ascending index, so every
 * engine finds the same bits.
 * @throws ProtocolError 'not-finite' on NaN or Infinity: training diverged
 */
export function clipToNorm(update: Float32Array, bound: number): Clipped {
  assert(Number.isFinite(bound) && bound > 0, `clipping norm: ${bound}`);
  let squares = 0;
  for (let i = 0; i < update.length; i++) squares += update[i]! * update[i]!;
  if (!Number.isFinite(squares)) {
    throw new ProtocolError('not-finite', 'the update holds NaN or Infinity');
  }
  const norm = Math.sqrt(squares);
  if (norm <= bound) return { clipped: update, norm };
  const scale = (bound / norm) * ROUNDING_MARGIN;
  const clipped = new Float32Array(update.length);
  for (let i = 0; i < update.length; i++) clipped[i] = update[i]! * scale;
  return { clipped, norm };
}
