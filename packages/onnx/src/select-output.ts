import { ProtocolError } from '@starling/core';
import type { Graph, Model, Node } from './types.ts';

/**
 * The model with one of its outputs, and without the nodes that only the others need.
 * @throws ProtocolError `model-mismatch` listing the outputs that there are
 */
export function selectOutput({ graph }: Model, name: string): Model {
  const output = graph.outputs.find((each) => each.name === name);
  if (output !== undefined) return { graph: withoutIdle({ ...graph, outputs: [output] }) };
  const names = graph.outputs.map((each) => each.name).join(', ');
  throw new ProtocolError('model-mismatch', `no output "${name}"; the model has ${names}`);
}

/** A graph, its nodes in order, without those that lead to no output. */
export function withoutIdle(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const leads = (node: Node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false;
    for (const name of node.inputs) needed.add(name);
    return true;
  };
  return { ...graph, nodes: graph.nodes.toReversed().filter(leads).reverse() };
}
