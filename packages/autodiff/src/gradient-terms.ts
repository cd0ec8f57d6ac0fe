import { elementCount, int } from '@starling/onnx';
import type { Precision } from './half-precision.ts';
import type { Ops } from './ops.ts';

/** Bounds of a step's gradient, 0 for none; PyTorch's `clip_grad_value_`, `clip_grad_norm_`. */
export interface GradientClipping {
  /** Greatest L2 norm of all gradients together. */
  readonly norm: number;
  /** Greatest magnitude of one element. */
  readonly value: number;
}

/** Where each weight was; undefined for those that nothing pulls back. */
export type Anchors = readonly (string | undefined)[];

export interface GradientTerms {
  readonly clipping: GradientClipping | undefined;
  /** Of the products that made the gradients; float32 unless told. */
  readonly precision?: Precision | undefined;
  /** FedProx: μ, and the weights that training began with. */
  readonly proximal: { readonly factor: string; readonly anchors: Anchors } | undefined;
  /** SCAFFOLD: what is added to each gradient. */
  readonly control: readonly string[] | undefined;
}

/**
 * What the optimiser gets of the loss's gradients: plus μ·(w − w₀) of the proximal term
 * μ/2·‖w − w₀‖² (Li et al. 2020), which is part of the loss; clipped by value, then by norm; plus
 * the control variate c − cᵢ (Karimireddy et al. 2020), which corrects the direction of a step.
 */
export function adjustedGradients(
  g: Ops,
  gradients: readonly string[],
  weights: readonly string[],
  { clipping, proximal, control, precision }: GradientTerms,
): readonly string[] {
  const pulled =
    proximal === undefined
      ? gradients
      : gradients.map((gradient, i) => {
          const anchor = proximal.anchors[i];
          if (anchor === undefined) return gradient;
          const distance = g.sub(weights[i]!, anchor);
          return g.add(gradient, g.mul(distance, proximal.factor));
        });
  const { norm = 0, value = 0 } = clipping ?? {};
  const bounded =
    value === 0
      ? pulled
      : pulled.map((gradient) => {
          const within = clipped(g, gradient, value);
          // What float16 could not hold must not look like a long gradient: 0·∞ is no number.
          return precision === 'float16' ? g.add(within, g.mul(gradient, g.number(0))) : within;
        });
  const shortened = norm === 0 ? bounded : withNorm(g, bounded, norm);
  if (control === undefined) return shortened;
  return shortened.map((gradient, i) => g.add(gradient, control[i]!));
}

const clipped = (g: Ops, gradient: string, value: number) =>
  g.call('Clip', [gradient, g.number(-value), g.number(value)]);

/** PyTorch's rule: times min(1, bound / (norm + 1e-6)). */
function withNorm(g: Ops, gradients: readonly string[], bound: number): readonly string[] {
  const sums = gradients.map((gradient) => sumOfSquares(g, gradient));
  const norm = g.call('Sqrt', [g.reduceSum(g.concat(sums, 0), [0], false)]);
  const ratio = g.div(g.number(bound), g.add(norm, g.number(1e-6)));
  const factor = g.call('Min', [g.number(1), ratio]);
  return gradients.map((gradient) => g.mul(gradient, factor));
}

/** Elements that one float32 accumulator adds up without losing more than their last bits. */
const AT_ONCE = 2 ** 18;

/** Of all elements, [1]; row by row for a large tensor: one accumulator would stop growing. */
function sumOfSquares(g: Ops, x: string): string {
  const shape = g.shape(x);
  if (elementCount(shape) <= AT_ONCE) {
    return g.reshape(g.call('ReduceSumSquare', [x], { keepdims: int(0) }), [1]);
  }
  const rows = g.reduceSum(g.square(x), [shape.length - 1], false);
  return g.reshape(g.reduceSum(rows, [...g.shape(rows).keys()], false), [1]);
}
