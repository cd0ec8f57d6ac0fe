import { fromBinary } from '@bufbuild/protobuf';
import { errorMessage, ProtocolError } from '@starling/core';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { MODEL_LIMITS } from './limits.ts';
import { inlineFunctions } from './model-functions.ts';
import { readGraph } from './read-graph.ts';
import { scanModel } from './scan.ts';
import { withoutIdle } from './select-output.ts';
import { freeNames, namesUsedBy } from './subgraphs.ts';
import { orderNodes } from './topology.ts';
import type { Attribute, Graph, Model, Node } from './types.ts';
import { upgradeNodes } from './upgrade.ts';
import { gatherWeights } from './weights.ts';

const OPSET_MIN = 6;
const OPSET_MAX = 23;
/** Newest version of the file format whose meaning is known. */
const IR_VERSION_MAX = 13n;

/**
 * Reads a foreign model and brings its operators to the meaning of opset 17. Weights in double or
 * half precision become float32; functions of the model are written out; weights that stand in
 * Constant nodes become initializers.
 * @throws ProtocolError, and nothing else: `model-corrupt`, `model-limit`, `model-unsupported` or
 * `unsupported-operator`
 */
export function readModel(bytes: Uint8Array): Model {
  const proto = decodeModel(bytes);
  if (proto.graph === undefined) throw new ProtocolError('model-corrupt', 'model without a graph');
  if (proto.irVersion > IR_VERSION_MAX) {
    const what = `file format version ${proto.irVersion}, at most ${IR_VERSION_MAX} is read`;
    throw new ProtocolError('model-unsupported', what);
  }
  const opset = opsetOf(proto);
  inlineFunctions(proto);
  const graph = settled(readGraph(proto.graph), opset, []);
  return { graph: gatherWeights(graph) };
}

/** Bytes to the protobuf message, size checked; any error is `model-corrupt`. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  if (bytes.length > MODEL_LIMITS.bytesMax) {
    throw new ProtocolError('model-limit', `model of ${bytes.length} bytes`);
  }
  if (bytes.length === 0) throw new ProtocolError('model-corrupt', 'the model is empty');
  scanModel(bytes);
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new ProtocolError('model-corrupt', `not an ONNX file: ${errorMessage(error)}`);
  }
}

function opsetOf(proto: ModelProto): number {
  const own = proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (own === undefined) throw new ProtocolError('model-corrupt', 'model names no operator set');
  const opset = Number(own.version);
  if (opset < OPSET_MIN || opset > OPSET_MAX) {
    throw new ProtocolError(
      'model-unsupported',
      `operator set ${opset}; export with ${OPSET_MIN} to ${OPSET_MAX}`,
    );
  }
  return opset;
}

/**
 * Nodes that lead to an output, in order and of opset 17, here and in the graphs inside nodes. What
 * an inner graph takes from around it is listed behind its node's own inputs, so that nobody has to
 * look inside.
 * @param outer names from around this graph that it uses
 */
function settled(graph: Graph, opset: number, outer: readonly string[]): Graph {
  const given = [...outer, ...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()];
  const linked = graph.nodes.map((node) => ({ ...node, inputs: namesUsedBy(node) }));
  const ordered = orderNodes(linked, given);
  const known = new Set([...given, ...ordered.flatMap(({ outputs }) => outputs)]);
  for (const { name } of graph.outputs) {
    if (known.has(name)) continue;
    throw new ProtocolError('model-corrupt', `the output "${name}" is made by nothing`);
  }
  const { nodes } = withoutIdle({ ...graph, nodes: ordered });
  const whole = nodes.map((node) => withInner(node, opset));
  return { ...graph, nodes: upgradeNodes(whole, graph.initializers, opset) };
}

function withInner(node: Node, opset: number): Node {
  const has = [...node.attributes.values()].some(({ kind }) => kind === 'graph');
  if (!has) return node;
  const attributes = Array.from(node.attributes, ([name, attribute]): [string, Attribute] => {
    if (attribute.kind !== 'graph') return [name, attribute];
    const inner = attribute.value;
    return [name, { kind: 'graph', value: settled(inner, opset, freeNames(inner)) }];
  });
  return { ...node, attributes: new Map(attributes) };
}
