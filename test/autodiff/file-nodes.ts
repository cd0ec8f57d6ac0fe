import type { GraphProto } from 'onnx-buf';

/** A node as a file has it. */
export interface FileNode {
  /** With its domain in front, unless that is the standard one. */
  readonly op: string;
  readonly inputs: readonly string[];
}

/** Nodes of a file, those of the graphs inside nodes too. */
export function nodesOf(graph: GraphProto): readonly FileNode[] {
  return graph.node.flatMap(({ domain, opType, input, attribute }) => {
    const standard = domain === '' || domain === 'ai.onnx';
    const inner = attribute.flatMap(({ g }) => (g === undefined ? [] : nodesOf(g)));
    return [{ op: standard ? opType : `${domain}.${opType}`, inputs: input }, ...inner];
  });
}
