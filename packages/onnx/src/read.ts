import { fromBinary } from '@bufbuild/protobuf';
import { errorMessage, ProtocolError } from '@starling/core';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { MODEL_LIMITS } from './limits.ts';
import { checkedShape, dataType, readTensor } from './proto-tensor.ts';
import { withinInt64 } from './tensor.ts';
import type { Attribute, Dimension, Graph, Model, Node, Tensor, ValueInfo } from './types.ts';
import { upgradeNodes } from './upgrade.ts';

const OPSET_MIN = 9;
const OPSET_MAX = 21;

/**
 * Reads a foreign model and brings its operators to the meaning of opset 17.
 * @throws ProtocolError, and nothing else: `model-corrupt`, `model-limit` or `model-unsupported`
 */
export function readModel(bytes: Uint8Array): Model {
  const proto = decodeModel(bytes);
  if (proto.graph === undefined) throw new ProtocolError('model-corrupt', 'model without a graph');
  if (proto.functions.length > 0) {
    throw new ProtocolError('model-unsupported', 'model-local functions are not supported');
  }
  const opset = opsetOf(proto);
  const graph = readGraph(proto.graph);
  const nodes = upgradeNodes(graph.nodes, graph.initializers, opset);
  return { graph: { ...graph, nodes } };
}

/** Bytes to the protobuf message, size checked; any error is `model-corrupt`. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  if (bytes.length > MODEL_LIMITS.bytesMax) {
    throw new ProtocolError('model-limit', `model of ${bytes.length} bytes`);
  }
  if (bytes.length === 0) throw new ProtocolError('model-corrupt', 'the model is empty');
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

function readGraph(proto: GraphProto): Graph {
  limit(proto.node.length, MODEL_LIMITS.nodesMax, 'nodes');
  limit(proto.initializer.length, MODEL_LIMITS.valuesMax, 'initializers');
  limit(proto.input.length + proto.output.length, MODEL_LIMITS.valuesMax, 'inputs and outputs');
  if (proto.sparseInitializer.length > 0) {
    throw new ProtocolError('model-unsupported', 'sparse initializers are not supported');
  }
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    if (initializers.has(tensor.name)) {
      throw new ProtocolError('model-corrupt', `two initializers named "${tensor.name}"`);
    }
    initializers.set(tensor.name, readTensor(tensor, `initializer "${tensor.name}"`));
  }
  return {
    name: proto.name,
    nodes: proto.node.map(readNode),
    initializers,
    // Old files list initializers among the inputs as well.
    inputs: proto.input.filter(({ name }) => !initializers.has(name)).map(readValue),
    outputs: proto.output.map(readValue),
  };
}

function limit(count: number, max: number, what: string): void {
  if (count > max) throw new ProtocolError('model-limit', `${count} ${what}, at most ${max}`);
}

function readValue({ name, type }: ValueInfoProto): ValueInfo {
  const where = `value "${name}"`;
  if (type?.value.case !== 'tensorType') {
    throw new ProtocolError('model-unsupported', `${where} is not a tensor`);
  }
  const dims = type.value.value.shape?.dim ?? [];
  limit(dims.length, MODEL_LIMITS.rankMax, `dimensions of ${where}`);
  const shape = dims.map(({ value }, i): Dimension => {
    if (value.case === 'dimValue') return checkedShape([value.value], where)[0]!;
    return value.case === 'dimParam' && value.value !== '' ? value.value : `dim${i}`;
  });
  return { name, dtype: dataType(type.value.value.elemType, where), shape };
}

function readNode(proto: NodeProto, index: number): Node {
  const name = proto.name === '' ? `${proto.opType}_${index}` : proto.name;
  if (proto.domain !== '' && proto.domain !== 'ai.onnx') {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${name}": operator ${proto.domain}.${proto.opType} is not a standard one`,
    );
  }
  limit(proto.input.length, MODEL_LIMITS.aritiesMax, `inputs of node "${name}"`);
  limit(proto.output.length, MODEL_LIMITS.aritiesMax, `outputs of node "${name}"`);
  limit(proto.attribute.length, MODEL_LIMITS.aritiesMax, `attributes of node "${name}"`);
  return {
    name,
    op: proto.opType,
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(
      proto.attribute.map((attribute) => [attribute.name, readAttribute(attribute, name)]),
    ),
  };
}

function readAttribute(proto: AttributeProto, node: string): Attribute {
  const where = `attribute "${proto.name}" of node "${node}"`;
  const decoder = new TextDecoder();
  switch (proto.type) {
    case AttributeProto_AttributeType.INT:
      return { kind: 'int', value: withinInt64(proto.i) };
    case AttributeProto_AttributeType.FLOAT:
      return { kind: 'float', value: proto.f };
    case AttributeProto_AttributeType.STRING:
      return { kind: 'string', value: decoder.decode(proto.s) };
    case AttributeProto_AttributeType.INTS:
      return { kind: 'ints', value: proto.ints.map(withinInt64) };
    case AttributeProto_AttributeType.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case AttributeProto_AttributeType.STRINGS:
      return { kind: 'strings', value: proto.strings.map((bytes) => decoder.decode(bytes)) };
    case AttributeProto_AttributeType.TENSOR:
      if (proto.t === undefined) break;
      return { kind: 'tensor', value: readTensor(proto.t, where) };
    default:
      break;
  }
  throw new ProtocolError('model-unsupported', `${where}: kind ${proto.type} is not supported`);
}
