import { assert } from '@starling/core';
import { elementCount } from '@starling/onnx';
import type { Ops } from './ops.ts';

export interface UpdateCall {
  /** The vector behind the training. */
  readonly after: string;
  /** The vector that training began with. */
  readonly before: string;
  /** The clipping norm, a scalar. */
  readonly clip: string;
  readonly layout: { readonly parameters: number; readonly buffers: number };
}

/**
 * New minus old vector, the L2 norm of its parameters, and the update with its parameters scaled
 * down to the clipping norm when longer. Buffers are statistics, not steps: nothing clips them.
 */
export function clippedUpdate(g: Ops, { after, before, clip, layout }: UpdateCall) {
  const update = g.sub(after, before);
  const { parameters, buffers } = layout;
  const part = (start: number, end: number) => g.slice(update, [{ axis: 0, start, end }]);
  const moved = part(0, parameters);
  const norm = g.call('Sqrt', [sumOfSquares(g, moved)]);
  const shrink = g.div(clip, g.call('Max', [norm, g.number(1e-30)]));
  const shortened = g.mul(moved, g.call('Min', [g.number(1), shrink]));
  const rest = buffers === 0 ? [] : [part(parameters, parameters + buffers)];
  return { update, norm, clipped: g.concat([shortened, ...rest], 0) };
}

export const STAGE = 1024;

const sumOfSquares = (g: Ops, vector: string): string => stagedSum(g, g.square(vector));

/**
 * Sum of a vector, a scalar, in stages of 1,024: one float32 accumulator over all elements would
 * stop growing near 2^18 times a term (`ReduceSum` of 550 million terms of 1e-3 gave less than
 * half).
 */
export function stagedSum(g: Ops, vector: string): string {
  let sums = vector;
  let count = elementCount(g.shape(sums));
  while (count > 1) {
    const rows = Math.ceil(count / STAGE);
    const width = Math.min(count, STAGE);
    const table = g.reshape(g.pad(sums, [0], [rows * width - count]), [rows, width]);
    sums = g.reduceSum(table, [1], false);
    count = rows;
  }
  assert(count === 1, 'a vector without elements has no norm');
  return g.reshape(sums, []);
}
