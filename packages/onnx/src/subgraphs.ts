import type { Graph, Node } from './types.ts';

/** Inputs of a node and, where it holds graphs, what these take from around it; each name once. */
export function namesUsedBy(node: Node): readonly string[] {
  const bodies = [...node.attributes.values()].flatMap((attribute) =>
    attribute.kind === 'graph' ? [attribute.value] : [],
  );
  if (bodies.length === 0) return node.inputs;
  const own = new Set(node.inputs);
  const taken = new Set(bodies.flatMap(freeNames));
  return [...node.inputs, ...[...taken].filter((name) => !own.has(name))];
}

/** Names that a graph uses and does not make. */
export function freeNames(graph: Graph): readonly string[] {
  const own = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const used = [...graph.nodes.flatMap(namesUsedBy), ...graph.outputs.map(({ name }) => name)];
  return used.filter((name) => name !== '' && !own.has(name));
}
