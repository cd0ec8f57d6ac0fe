import { ProtocolError } from '@starling/core';
import { FUNCTIONS } from './functions.ts';
import { elementwiseEntries } from './infer-elementwise.ts';
import { indexingEntries } from './infer-indexing.ts';
import { linearEntries } from './infer-linear.ts';
import { normEntries } from './infer-norm.ts';
import { reduceEntries } from './infer-reduce.ts';
import { resizeEntries } from './infer-resize.ts';
import { shapeEntries } from './infer-shape.ts';
import { spatialEntries } from './infer-spatial.ts';
import { type Arity, InferenceCall, type InferenceRule, type Known } from './inference.ts';
import { refusalOf } from './refusals.ts';
import { CONTROL_OPERATORS } from './replay-control.ts';
import { SEQUENCE_OPERATORS } from './replay-sequence.ts';
import type { Node, ValueType } from './types.ts';

interface Entry {
  readonly rule: InferenceRule;
  readonly arity: Arity;
}

const RULES: ReadonlyMap<string, Entry> = new Map(
  [
    ...elementwiseEntries,
    ...reduceEntries,
    ...normEntries,
    ...spatialEntries,
    ...resizeEntries,
    ...shapeEntries,
    ...linearEntries,
    ...indexingEntries,
  ].map(([op, rule, arity = [1, 1]]) => [op, { rule, arity }]),
);

/** Operators that a graph may hold: the allow-list for foreign models (decision 5). */
export const KNOWN_OPERATORS: ReadonlySet<string> = new Set([
  ...RULES.keys(),
  ...FUNCTIONS.keys(),
  ...CONTROL_OPERATORS,
  ...SEQUENCE_OPERATORS,
  'Constant',
]);

/**
 * Types of a node's outputs.
 * @throws ProtocolError `unsupported-operator` or `model-shape`, naming the node
 */
export function inferNode(
  node: Node,
  inputs: readonly (Known | undefined)[],
): readonly ValueType[] {
  const entry = RULES.get(node.op);
  if (entry === undefined) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}": operator ${node.op} ${refusalOf(node.op)}`,
    );
  }
  const call = new InferenceCall(node, inputs);
  call.checkArity(entry.arity);
  const types = entry.rule(call);
  if (types.length !== node.outputs.length) {
    call.fail(`${node.outputs.length} outputs, expected ${types.length}`);
  }
  return types;
}
