import { assert, ProtocolError } from '@starling/core';
import { type EinsumPlan, planEinsum, text, textAttribute, writeEinsum } from '@starling/onnx';
import type { Gradient, GradientCall } from './rule.ts';

/**
 * The gradient of an operand is an Einsum of the result's gradient with the other operands, onto
 * the labels that they share with it; what the forward call summed out of this operand alone is
 * repeated.
 */
export function einsum(call: GradientCall): readonly Gradient[] {
  const { g, node, x } = call;
  const shapes = x.map((operand) => g.shape(operand));
  const plan = planEinsum(textAttribute(node, 'equation', ''), shapes);
  assert(typeof plan !== 'string', 'an equation that inference accepted');
  return x.map((_, at) => () => operandGradient(call, plan, at));
}

function operandGradient({ g, node, x, dy }: GradientCall, plan: EinsumPlan, at: number): string {
  const { operands, output, sizes } = plan;
  const own = operands[at]!;
  if (new Set(own).size !== own.length) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}" (Einsum): an operand with a repeated label has no gradient`,
    );
  }
  const shape = g.shape(x[at]!);
  const others = operands.filter((_, i) => i !== at);
  const elsewhere = new Set([...output, ...others.flat()]);
  // Along an axis of size 1 that was broadcast, the gradient is summed.
  const shared = own.filter((label, i) => elsewhere.has(label) && shape[i] === sizes[label]);
  const factors = [dy, ...x.filter((_, i) => i !== at)];
  const product = contract(g, factors, [output, ...others], shared);
  const column = own.map((label) => g.shape(product)[shared.indexOf(label)] ?? 1);
  return g.broadcastTo(g.reshape(product, column), shape);
}

/** An Einsum; a scalar factor has no place in an equation, so it is multiplied afterwards. */
function contract(
  g: GradientCall['g'],
  factors: readonly string[],
  labels: readonly (readonly number[])[],
  result: readonly number[],
): string {
  const terms = factors.map((name, i) => ({ name, labels: labels[i]! }));
  const tensors = terms.filter((term) => term.labels.length > 0);
  const scalars = terms.filter((term) => term.labels.length === 0);
  const names = tensors.map(({ name }) => name);
  const equation = writeEinsum(
    tensors.map((term) => term.labels),
    result,
  );
  const start = names.length === 0 ? [] : [g.call('Einsum', names, { equation: text(equation) })];
  return [...start, ...scalars.map(({ name }) => name)].reduce((a, b) => g.mul(a, b));
}
