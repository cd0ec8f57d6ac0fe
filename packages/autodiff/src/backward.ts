import { assert, ProtocolError } from '@starling/core';
import { elementCount, type Node } from '@starling/onnx';
import type { Ops } from './ops.ts';
import type { GradientRule, Share } from './rule.ts';
import { differentiableInputs, GRADIENT_RULES } from './rules.ts';
import { joinShares } from './shares.ts';

export interface BackwardOptions {
  readonly g: Ops;
  /** The forward nodes, in topological order. */
  readonly nodes: readonly Node[];
  /** Value whose gradient is known, and that gradient. */
  readonly output: string;
  readonly seed: string;
  /** Values whose gradients are asked for. */
  readonly wanted: readonly string[];
  /** Rules of single nodes by their first output, in place of their operator's. */
  readonly ownRules?: ReadonlyMap<string, GradientRule>;
}

type RuleOf = (node: Node) => GradientRule | undefined;

/**
 * Walks the forward nodes from the end to the start and writes gradients behind them: only on paths
 * from a wanted value to the output, summed down to each input's shape, added up where a value is
 * used more than once.
 * @returns gradient by wanted name, of its shape; a name is missing when nothing flows there
 * @throws ProtocolError `unsupported-operator`, naming node and operator
 */
export function backward(options: BackwardOptions): ReadonlyMap<string, string> {
  const { g, nodes, output, seed, wanted } = options;
  const ruleOf: RuleOf = (node) =>
    options.ownRules?.get(node.outputs[0]!) ?? GRADIENT_RULES.get(node.op);
  const onPath = valuesBehind(nodes, wanted, ruleOf);
  const shares = new Map<string, Share[]>([[output, [seed]]]);
  const settled = new Map<string, string>();
  /** The gradient of a value whose every use is behind us. */
  const gradientOf = (name: string): string | undefined => {
    const gradient = settled.get(name) ?? joinShares(g, shares.get(name) ?? [], g.shape(name));
    if (gradient !== undefined) settled.set(name, gradient);
    return gradient;
  };
  for (const node of nodes.toReversed()) {
    const rule = ruleOf(node);
    const all = differentiableInputs(node, rule);
    const positions = all.filter((i) => onPath.has(node.inputs[i]!));
    if (positions.length === 0 || !node.outputs.some((name) => shares.has(name))) continue;
    for (const [position, share] of nodeShares({ g, node, rule, all }, positions, gradientOf)) {
      const input = node.inputs[position]!;
      shares.set(input, [...(shares.get(input) ?? []), share]);
    }
  }
  return new Map(
    wanted.flatMap((name) => {
      const gradient = gradientOf(name);
      return gradient === undefined ? [] : [[name, gradient] as const];
    }),
  );
}

/** Values that change when a wanted one does, with the wanted ones. */
function valuesBehind(
  nodes: readonly Node[],
  wanted: readonly string[],
  ruleOf: RuleOf,
): ReadonlySet<string> {
  const behind = new Set(wanted);
  for (const node of nodes) {
    const inputs = differentiableInputs(node, ruleOf(node));
    const depends = inputs.some((i) => behind.has(node.inputs[i]!));
    if (depends) for (const name of node.outputs) behind.add(name);
  }
  return behind;
}

interface RuledNode {
  readonly g: Ops;
  readonly node: Node;
  readonly rule: GradientRule | undefined;
  /** Every position of an input through which gradients flow. */
  readonly all: readonly number[];
}

function nodeShares(
  { g, node, rule, all }: RuledNode,
  positions: readonly number[],
  gradientOf: (name: string) => string | undefined,
): readonly (readonly [number, Share])[] {
  if (rule === undefined) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}": operator ${node.op} has no gradient rule`,
    );
  }
  const found = node.outputs.map(gradientOf);
  const flows = found.map((gradient) => gradient !== undefined);
  const dys = found.map((gradient, i) => gradient ?? g.zeros(g.shape(node.outputs[i]!)));
  const call = { g, node, x: node.inputs, y: node.outputs, dy: dys[0]!, dys, flows };
  const made = rule.gradients(call);
  assert(made.length === all.length, `${node.op}: ${made.length} gradients, ${all.length} inputs`);
  const empty = (name: string) => elementCount(g.shape(name)) === 0;
  return positions.map((position) => {
    const input = node.inputs[position]!;
    // From nothing, or to nothing: kernels that take values without elements are few.
    if (empty(input) || dys.every(empty)) return [position, g.zeros(g.shape(input))];
    return [position, made[all.indexOf(position)]!()];
  });
}
