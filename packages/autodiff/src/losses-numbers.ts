import { elementCount, int } from '@starling/onnx';
import type { LossTerms } from './losses.ts';
import { signMask } from './masks.ts';
import type { Ops } from './ops.ts';

/** Mean over all elements of `perElement`; the gradient of their sum is `slope` times `error`. */
function elementwise(
  g: Ops,
  perElement: string,
  { error, slope }: Pick<LossTerms, 'error' | 'slope'>,
): LossTerms {
  const count = elementCount(g.shape(perElement));
  return {
    mean: g.call('ReduceMean', [perElement], { keepdims: int(0) }),
    error,
    slope,
    weight: count,
    targets: count,
    correct: undefined,
  };
}

/** (y − t)² */
export function meanSquaredError(g: Ops, output: string, target: string): LossTerms {
  const difference = g.sub(output, target);
  return elementwise(g, g.square(difference), { error: () => difference, slope: 2 });
}

/** |y − t|, whose gradient is the sign of the difference, 0 at 0. */
export function meanAbsoluteError(g: Ops, output: string, target: string): LossTerms {
  const difference = g.sub(output, target);
  return elementwise(g, g.call('Abs', [difference]), {
    error: () => signMask(g, difference),
    slope: 1,
  });
}

const clipped = (g: Ops, x: string, bound: number) =>
  g.call('Clip', [x, g.number(-bound), g.number(bound)]);

/**
 * d²/2 up to |d| = δ and δ·(|d| − δ/2) beyond. With c = clip(d, −δ, δ) both are c·(d − c/2), and
 * the gradient is c.
 */
export function huber(g: Ops, difference: string, delta = 1): LossTerms {
  const slope = clipped(g, difference, delta);
  const perElement = g.mul(slope, g.sub(difference, g.scale(slope, 0.5)));
  return elementwise(g, perElement, { error: () => slope, slope: 1 });
}

/** PyTorch's smooth L1 with β = `delta`: Huber's loss divided by it. */
export function smoothL1(g: Ops, difference: string, delta = 1): LossTerms {
  const terms = huber(g, difference, delta);
  return { ...terms, mean: g.scale(terms.mean, 1 / delta), slope: 1 / delta };
}
