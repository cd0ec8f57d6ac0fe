import { assert } from '@starling/core';
import { int, ints } from '@starling/onnx';
import { addIf, addLoop } from './control-flow.ts';
import {
  drawnAt,
  type EpochShared,
  type GradientInput,
  gatheredMinibatch,
} from './epoch-minibatch.ts';
import { gatherRows, type MinibatchResult } from './minibatch.ts';
import type { Ops } from './ops.ts';
import { STAGE, stagedSum } from './update.ts';
import { flatten, unflatten, vectorLength } from './vector.ts';

/**
 * Rounding may make the sum of squares too small by 3·1024·2^-24 at most, with three stages of
 * 1,024 terms, and the norm by half of that: clipping to a little less than the bound makes up
 * for it.
 */
const ROUNDING_MARGIN = 1 - 2 ** -13;
/** Below the largest float32: a norm beyond it is no number to divide by. */
const NORM_MAX = 3e38;

/**
 * The gradients of one step of DP-SGD (Abadi et al. 2016, algorithm 1): each drawn example's
 * gradient of all weights is clipped on its own, noise is added to their sum, and what comes out
 * is divided by the number of examples that are drawn on average. The number that were drawn is
 * in none of it, nor is an example whose gradient is no number.
 */
export function exampleGradients(
  g: Ops,
  shared: EpochShared,
  { iteration, weights }: GradientInput,
): MinibatchResult {
  const { plan, resident, training, outer, exampleClipping: bound } = shared;
  const { parameters } = training.state;
  const { minibatches, gradientNoise } = resident;
  assert(plan.sampled !== undefined && bound !== undefined, 'examples are clipped when drawn');
  const rows = gatherRows(g, resident.order, iteration);
  const drawn = drawnAt(g, resident, iteration);
  const length = vectorLength(parameters);
  const table = [Math.ceil(length / STAGE), STAGE];
  const tail = table[0]! * STAGE - length;
  const { next } = addLoop(g, {
    name: 'examples',
    trips: gatherRows(g, minibatches!, iteration),
    tripsMax: plan.accumulation,
    carried: [outer.zeros(table), g.number(0)],
    body: (body, example, [sum, losses]) => {
      const made = gatheredMinibatch(body, shared, {
        weights,
        statistics: [],
        rows: gatherRows(body, rows, example),
        ...drawnAt(body, drawn, example),
        isLast: undefined,
        factor: undefined,
      });
      const padding = tail === 0 ? [] : [outer.zeros([tail])];
      const gradient = body.reshape(flatten(body, [...made.gradients, ...padding]), table);
      const more = withExample(body, sum!, gradient, bound);
      return { next: [more, body.add(losses!, made.loss)] };
    },
  });
  const sum = g.slice(g.reshape(next[0]!, [length + tail]), [{ axis: 0, start: 0, end: length }]);
  const noisy = g.add(sum, gatherRows(g, gradientNoise!, iteration));
  return {
    gradients: unflatten(g, g.scale(noisy, 1 / plan.sampled), parameters),
    buffers: [],
    loss: g.scale(next[1]!, 1 / plan.sampled),
  };
}

/** The sum with one more gradient, [rows, STAGE], scaled down to `bound` where it is longer. */
function withExample(g: Ops, sum: string, gradient: string, bound: number): string {
  const rows = { axes: ints([1]), keepdims: int(0) };
  const squares = g.call('ReduceSumSquare', [gradient], rows);
  const norm = g.call('Sqrt', [stagedSum(g, squares)]);
  const most = g.number(bound * ROUNDING_MARGIN);
  const factor = g.div(most, g.call('Max', [norm, most]));
  // Neither NaN nor Infinity is below.
  const isNumber = g.greater(g.number(NORM_MAX), norm);
  const [more] = addIf(g, g.call('Not', [isNumber]), {
    yes: () => [sum],
    no: (inner) => [inner.add(sum, inner.mul(gradient, factor))],
  });
  return more!;
}
