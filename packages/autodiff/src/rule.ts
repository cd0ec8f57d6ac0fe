import type { Node } from '@starling/onnx';
import type { Ops } from './ops.ts';

/** One forward node whose gradient is asked for. */
export interface GradientCall {
  readonly g: Ops;
  readonly node: Node;
  /** Names of the inputs; an absent one is empty. */
  readonly x: readonly string[];
  /** Names of the outputs. */
  readonly y: readonly string[];
  /** Gradient of the first output, of its shape. */
  readonly dy: string;
  /** Gradients of all outputs, zeros where nothing flows. */
  readonly dys: readonly string[];
}

/**
 * Writes the gradient of one input. It may have the shape of the output; the walker sums it down.
 */
export type Gradient = () => string;

export interface GradientRule {
  /** Positions of inputs through which gradients flow; all when absent. */
  readonly inputs?: readonly number[];
  /** One entry per differentiable position, in their order; only the wanted ones are called. */
  readonly gradients: (call: GradientCall) => readonly Gradient[];
}

export type RuleEntry = readonly [op: string, rule: GradientRule];

/** A rule of inputs 0 … n−1, or of the listed ones. */
export const rule = (
  op: string,
  gradients: GradientRule['gradients'],
  inputs?: readonly number[],
): RuleEntry => [op, inputs === undefined ? { gradients } : { gradients, inputs }];
