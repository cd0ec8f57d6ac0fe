import { ProtocolError } from '@starling/core';
import { readModel } from './read.ts';
import type { Graph, Model, Node } from './types.ts';
import { writeModel } from './write.ts';

/**
 * An ONNX file with one of its outputs, and others if named; the same bytes where it has no more.
 * @throws ProtocolError when it cannot be read, or has no such output
 */
export function withOutput(
  file: Uint8Array,
  name: string,
  others: readonly string[] = [],
): Uint8Array {
  const model = readModel(file);
  const wanted = [name, ...others];
  const has = model.graph.outputs.map((output) => output.name).join();
  return has === wanted.join() ? file : writeModel(selectOutput(model, ...wanted));
}

/**
 * The model with some of its outputs, and without the nodes that only the others need.
 * @throws ProtocolError `model-mismatch` listing the outputs that there are
 */
export function selectOutput({ graph }: Model, ...names: readonly string[]): Model {
  const outputs = names.map((name) => {
    const output = graph.outputs.find((each) => each.name === name);
    if (output !== undefined) return output;
    const known = graph.outputs.map((each) => each.name).join(', ');
    throw new ProtocolError('model-mismatch', `no output "${name}"; the model has ${known}`);
  });
  return { graph: withoutIdle({ ...graph, outputs }) };
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
