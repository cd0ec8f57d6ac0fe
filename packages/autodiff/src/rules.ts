import type { Node } from '@starling/onnx';
import type { GradientRule } from './rule.ts';
import { elementwiseRules } from './rules-elementwise.ts';
import { linearRules } from './rules-linear.ts';
import { shapeRules } from './rules-shape.ts';
import { spatialRules } from './rules-spatial.ts';

/** What is particular to each operator; what they share is in `backward.ts`. */
export const GRADIENT_RULES: ReadonlyMap<string, GradientRule> = new Map([
  ...elementwiseRules,
  ...linearRules,
  ...shapeRules,
  ...spatialRules,
]);

/** Operators through which no gradient flows: their outputs are counts, choices or steps. */
const NO_GRADIENT: ReadonlySet<string> = new Set([
  ...['Constant', 'ConstantOfShape', 'Range', 'Shape', 'Size', 'ArgMax', 'ArgMin'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'And', 'Or'],
  ...['Floor', 'Ceil', 'Sign'],
]);

/**
 * Positions of a node's inputs through which gradients flow; all for an operator without a rule.
 */
export function differentiableInputs(node: Node): readonly number[] {
  if (NO_GRADIENT.has(node.op)) return [];
  const listed = GRADIENT_RULES.get(node.op)?.inputs;
  const present = node.inputs.flatMap((input, i) => (input === '' ? [] : [i]));
  return listed === undefined ? present : present.filter((i) => listed.includes(i));
}
