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
  /** Whether a gradient flows into each output. */
  readonly flows: readonly boolean[];
}

/** The gradient of a part of the input, `value` from `start` on along `axis`; zero elsewhere. */
export interface Piece {
  readonly kind: 'piece';
  readonly value: string;
  readonly axis: number;
  readonly start: number;
}

/**
 * A product that is not multiplied yet: alpha · rowsᵀ · columns, summed over axis 0 of both
 * matrices. Of a weight that is used at every step of time, the walker makes one product of all.
 */
export interface Product {
  readonly kind: 'product';
  readonly rows: string;
  readonly columns: string;
  readonly alpha: number;
}

/** One use's share of a value's gradient. A name may have a shape that the input broadcasts to. */
export type Share = string | Piece | Product;

/** Writes the gradient of one input. */
export type Gradient = () => Share;

export interface GradientRule {
  /** Positions of inputs through which gradients flow; all when absent. */
  readonly inputs?: readonly number[] | ((node: Node) => readonly number[]);
  /** One entry per differentiable position, in their order; only the wanted ones are called. */
  readonly gradients: (call: GradientCall) => readonly Gradient[];
}

export type RuleEntry = readonly [op: string, rule: GradientRule];

/** A rule of inputs 0 … n−1, or of the listed ones. */
export const rule = (
  op: string,
  gradients: GradientRule['gradients'],
  inputs?: GradientRule['inputs'],
): RuleEntry => [op, inputs === undefined ? { gradients } : { gradients, inputs }];
