import { create, toBinary } from '@bufbuild/protobuf';
import { type GraphProto, ModelProtoSchema, type NodeProto, NodeProtoSchema } from 'onnx-buf';
import { decodeModel } from './read.ts';

/**
 * The file as it is used after training: a model that was exported in training mode still has
 * dropouts that drop and BatchNormalizations that normalise by the batch. Both go by their
 * inference rules then, and what only told them to train is left out. All else stays as it is.
 * @throws ProtocolError when the file cannot be read
 */
export function inferenceModel(bytes: Uint8Array): Uint8Array {
  const proto = decodeModel(bytes);
  if (proto.graph !== undefined) convert(proto.graph);
  for (const each of proto.functions) each.node = converted(each.node, each.output);
  return toBinary(ModelProtoSchema, proto);
}

function convert(graph: GraphProto): void {
  const before = usedNames(graph.node);
  graph.node = converted(
    graph.node,
    graph.output.map(({ name }) => name),
  );
  // Ratios and modes that nobody reads any more.
  const after = usedNames(graph.node);
  const kept = new Set(graph.output.map(({ name }) => name));
  const lost = (name: string) => before.has(name) && !after.has(name) && !kept.has(name);
  graph.initializer = graph.initializer.filter(({ name }) => !lost(name));
  graph.node = graph.node.filter(
    ({ opType, output }) => opType !== 'Constant' || !lost(output[0] ?? ''),
  );
  graph.input = graph.input.filter(({ name }) => !lost(name) || kept.has(name));
}

function converted(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  const used = new Set([...usedNames(nodes), ...outputs]);
  return nodes.flatMap((node) => {
    for (const { g, graphs } of node.attribute) {
      for (const inner of [...(g ? [g] : []), ...graphs]) convert(inner);
    }
    if (node.domain !== '' && node.domain !== 'ai.onnx') return [node];
    if (node.opType === 'Dropout') return [withoutTraining(node, used, 2)];
    return node.opType === 'BatchNormalization' ? batchNormalization(node, used) : [node];
  });
}

/** What nodes read, inside their subgraphs too, and what those hand out. */
function usedNames(nodes: readonly NodeProto[]): ReadonlySet<string> {
  const inner = nodes.flatMap(({ attribute }) =>
    attribute.flatMap(({ g, graphs }) => [...(g ? [g] : []), ...graphs]),
  );
  return new Set([
    ...nodes.flatMap(({ input }) => input),
    ...inner.flatMap(({ node, output }) => [...usedNames(node), ...output.map(({ name }) => name)]),
  ]);
}

/** The node with its first inputs, without outputs at the end that nobody reads. */
function withoutTraining(node: NodeProto, used: ReadonlySet<string>, inputs: number): NodeProto {
  const output = [...node.output];
  while (output.length > 1 && !used.has(output.at(-1)!)) output.pop();
  return create(NodeProtoSchema, { ...node, input: node.input.slice(0, inputs), output });
}

/** Statistics that somebody reads are the running ones, which do not move. */
function batchNormalization(node: NodeProto, used: ReadonlySet<string>): NodeProto[] {
  const attribute = node.attribute.filter(({ name }) => name !== 'training_mode');
  const [output = '', ...statistics] = node.output;
  const copies = statistics.slice(0, 2).flatMap((name, i) =>
    name === '' || !used.has(name)
      ? []
      : [
          create(NodeProtoSchema, {
            ...{ name: `${node.name}/statistics${i}`, opType: 'Identity' },
            ...{ input: [node.input[3 + i] ?? ''], output: [name] },
          }),
        ],
  );
  return [create(NodeProtoSchema, { ...node, attribute, output: [output] }), ...copies];
}
