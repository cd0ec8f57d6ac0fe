import type { Node, Tensor } from '@starling/onnx';
import type { GradientRule } from './rule.ts';
import { activationRules } from './rules-activations.ts';
import { convRules } from './rules-conv.ts';
import { elementwiseRules } from './rules-elementwise.ts';
import { indexingRules } from './rules-indexing.ts';
import { linearRules } from './rules-linear.ts';
import { normRules } from './rules-norm.ts';
import { poolRules } from './rules-pool.ts';
import { reduceRules } from './rules-reduce.ts';
import { resizeRules } from './rules-resize.ts';
import { shapeRules } from './rules-shape.ts';

/** What is particular to each operator; what they share is in `backward.ts`. */
export const GRADIENT_RULES: ReadonlyMap<string, GradientRule> = new Map([
  ...activationRules,
  ...convRules,
  ...elementwiseRules,
  ...indexingRules,
  ...linearRules,
  ...normRules,
  ...poolRules,
  ...reduceRules,
  ...resizeRules,
  ...shapeRules,
]);

/** Operators through which no gradient flows: their outputs are counts, choices or steps. */
const NO_GRADIENT: ReadonlySet<string> = new Set([
  ...['Constant', 'ConstantOfShape', 'Range', 'Shape', 'Size', 'ArgMax', 'ArgMin'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'And', 'Or'],
  ...['Xor', 'BitShift', 'IsNaN', 'IsInf', 'Hardmax', 'EyeLike', 'NonZero'],
  ...['Floor', 'Ceil', 'Round', 'Sign'],
]);

/** Inputs of operators without a rule of their own that say how the operator works. */
const SETTINGS: ReadonlyMap<string, readonly number[]> = new Map([
  ['Dropout', [1, 2]],
  ['OneHot', [1, 2]],
  ['SoftmaxCrossEntropyLoss', [2]],
  ['NegativeLogLikelihoodLoss', [2]],
  ['RotaryEmbedding', [1, 2]],
  ['com.microsoft.RotaryEmbedding', [2, 3]],
]);

/**
 * Positions of a node's inputs behind which there may be weights. An exponent that is stored as a
 * plain number is none: exporters write squares and roots so.
 */
export function weightInputs(
  node: Node,
  initializers: ReadonlyMap<string, Tensor>,
): readonly number[] {
  const isExponent = (i: number) => node.op === 'Pow' && i === 1;
  const settings = SETTINGS.get(node.op) ?? [];
  return differentiableInputs(node).filter((i) => {
    if (settings.includes(i)) return false;
    return !isExponent(i) || initializers.get(node.inputs[i]!)?.shape.length !== 0;
  });
}

/** How exporters and simplifiers name what stood as a number or a Constant in the program. */
const CONSTANT_NAME = /(^|\/)Constant(_\d+)?_output_\d+$/;
const NUMBER_NAME = /^(onnx::\w+_\d+|val_\d+|\d+)$/;

/**
 * Whether an initialiser is no weight, going by its name: PyTorch stores the scale of 1 inside a
 * GroupNorm beside the weights, and others store every factor. Single numbers that have a name of
 * their own are weights.
 */
export const isConstantName = (name: string, shape: readonly number[]): boolean =>
  CONSTANT_NAME.test(name) || (shape.length === 0 && NUMBER_NAME.test(name));

/**
 * Positions of a node's inputs through which gradients flow; all for an operator without a rule.
 * @param rule the node's own, where it has one
 */
export function differentiableInputs(
  node: Node,
  rule = GRADIENT_RULES.get(node.op),
): readonly number[] {
  if (NO_GRADIENT.has(node.op)) return [];
  const inputs = rule?.inputs;
  const listed = typeof inputs === 'function' ? inputs(node) : inputs;
  const present = node.inputs.flatMap((input, i) => (input === '' ? [] : [i]));
  return listed === undefined ? present : present.filter((i) => listed.includes(i));
}
