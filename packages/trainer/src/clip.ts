import type { VectorLayout } from '@starling/rounds';

export interface ClippedUpdate {
  readonly update: Float32Array;
  readonly norm: number;
}

/**
 * New minus old vector, and the L2 norm of its parameters, which are scaled down to `clip` when
 * longer: what an epoch graph does behind its Loop, for weights that come back from a GPU.
 */
export function clippedUpdate(
  before: Float32Array,
  after: Float32Array,
  { layout, clip }: { readonly layout: VectorLayout; readonly clip: number },
): ClippedUpdate {
  const update = after.map((value, i) => value - before[i]!);
  const moved = update.subarray(0, layout.parameters);
  const norm = Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0));
  if (norm > clip) {
    const factor = clip / norm;
    for (let i = 0; i < moved.length; i++) moved[i]! *= factor;
  }
  return { update, norm };
}
