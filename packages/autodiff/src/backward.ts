import { assert, ProtocolError } from '@starling/core';
import { equalShapes, type Node } from '@starling/onnx';
import type { Ops } from './ops.ts';
import { differentiableInputs, GRADIENT_RULES } from './rules.ts';

export interface BackwardOptions {
  readonly g: Ops;
  /** The forward nodes, in topological order. */
  readonly nodes: readonly Node[];
  /** Value whose gradient is known, and that gradient. */
  readonly output: string;
  readonly seed: string;
  /** Values whose gradients are asked for. */
  readonly wanted: readonly string[];
}

/**
 * Walks the forward nodes from the end to the start and writes gradients behind them: only on paths
 * from a wanted value to the output, summed down to each input's shape, added up where a value is
 * used more than once.
 * @returns gradient by wanted name, of its shape; a name is missing when nothing flows there
 * @throws ProtocolError `unsupported-operator`, naming node and operator
 */
export function backward(options: BackwardOptions): ReadonlyMap<string, string> {
  const { g, nodes, output, seed, wanted } = options;
  const onPath = valuesBehind(nodes, wanted);
  const gradients = new Map([[output, seed]]);
  for (const node of nodes.toReversed()) {
    const positions = differentiableInputs(node).filter((i) => onPath.has(node.inputs[i]!));
    if (positions.length === 0 || !node.outputs.some((name) => gradients.has(name))) continue;
    for (const [position, gradient] of nodeGradients(g, node, positions, gradients)) {
      const input = node.inputs[position]!;
      const before = gradients.get(input);
      gradients.set(input, before === undefined ? gradient : g.add(before, gradient));
    }
  }
  return new Map(
    wanted.flatMap((name) => {
      const gradient = gradients.get(name);
      return gradient === undefined ? [] : [[name, gradient] as const];
    }),
  );
}

/** Values that change when a wanted one does, with the wanted ones. */
function valuesBehind(nodes: readonly Node[], wanted: readonly string[]): ReadonlySet<string> {
  const behind = new Set(wanted);
  for (const node of nodes) {
    const depends = differentiableInputs(node).some((i) => behind.has(node.inputs[i]!));
    if (depends) for (const name of node.outputs) behind.add(name);
  }
  return behind;
}

function nodeGradients(
  g: Ops,
  node: Node,
  positions: readonly number[],
  gradients: ReadonlyMap<string, string>,
): readonly (readonly [number, string])[] {
  const rule = GRADIENT_RULES.get(node.op);
  if (rule === undefined) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}": operator ${node.op} has no gradient rule`,
    );
  }
  const dys = node.outputs.map(
    (name) => gradients.get(name) ?? g.broadcastTo(g.number(0), g.shape(name)),
  );
  const call = { g, node, x: node.inputs, y: node.outputs, dy: dys[0]!, dys };
  const made = rule.gradients(call);
  const all = differentiableInputs(node);
  assert(made.length === all.length, `${node.op}: ${made.length} gradients, ${all.length} inputs`);
  return positions.map((position) => {
    const input = node.inputs[position]!;
    const gradient = g.sumTo(made[all.indexOf(position)]!(), g.shape(input));
    assert(equalShapes(g.shape(gradient), g.shape(input)), `${node.op}: shape of a gradient`);
    return [position, gradient] as const;
  });
}
