import { ProtocolError } from '@starling/core';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type GraphProto,
  type NodeProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from 'onnx-buf';
import { FUNCTIONS } from './functions.ts';
import { MODEL_LIMITS } from './limits.ts';
import { checkedShape, dataType, readTensor } from './proto-tensor.ts';
import { refusalOf } from './refusals.ts';
import { withinInt64 } from './tensor.ts';
import {
  type Attribute,
  type Dimension,
  ELEMENT_TYPES,
  type Graph,
  int,
  type Node,
  type Tensor,
  type ValueInfo,
} from './types.ts';

/**
 * A graph as the file has it: operators still mean what they do in the file's operator set, nodes
 * stand in its order.
 * @param depth how many graphs are around this one
 */
export function readGraph(proto: GraphProto, depth = 0): Graph {
  limit(depth, MODEL_LIMITS.depthMax, 'graphs in one another');
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
  // Old files list initializers among the inputs as well.
  const inputs = proto.input.filter(({ name }) => !initializers.has(name));
  return {
    name: proto.name,
    nodes: proto.node.map((node, index) => readNode(node, index, depth)),
    initializers,
    inputs: inputs.map((input) => readValue(input, depth === 0)),
    outputs: proto.output.map((output) => readValue(output, false)),
  };
}

function limit(count: number, max: number, what: string): void {
  if (count > max) throw new ProtocolError('model-limit', `${count} ${what}, at most ${max}`);
}

/** @param typed whether type and shape must be there; else what is missing is a float scalar */
function readValue({ name, type }: ValueInfoProto, typed: boolean): ValueInfo {
  const where = `value "${name}"`;
  if (type === undefined && !typed) return { name, dtype: 'float32', shape: [] };
  if (type?.value.case !== 'tensorType') {
    const kind = type?.value.case?.replace('Type', '') ?? 'of no type';
    throw new ProtocolError('model-unsupported', `${where} is ${kind}, not a tensor`);
  }
  const { elemType, shape: given } = type.value.value;
  const dtype = dataType(elemType, where);
  if (given === undefined && typed) {
    throw new ProtocolError('model-unsupported', `${where} has no shape; export it with one`);
  }
  const dims = given?.dim ?? [];
  limit(dims.length, MODEL_LIMITS.rankMax, `dimensions of ${where}`);
  const shape = dims.map(({ value }, i): Dimension => {
    if (value.case === 'dimValue') {
      // Some exporters write an open dimension as 0 or −1.
      return value.value <= 0n ? `dim${i}` : checkedShape([value.value], where)[0]!;
    }
    return value.case === 'dimParam' && value.value !== '' ? value.value : `dim${i}`;
  });
  return { name, dtype, shape };
}

function readNode(proto: NodeProto, index: number, depth: number): Node {
  const name = proto.name === '' ? `${proto.opType}_${index}` : proto.name;
  const standard = proto.domain === '' || proto.domain === 'ai.onnx';
  const op = standard ? proto.opType : `${proto.domain}.${proto.opType}`;
  if (!standard && !FUNCTIONS.has(op)) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${name}": operator ${op} ${refusalOf(op)}`,
    );
  }
  limit(proto.input.length, MODEL_LIMITS.aritiesMax, `inputs of node "${name}"`);
  limit(proto.output.length, MODEL_LIMITS.aritiesMax, `outputs of node "${name}"`);
  limit(proto.attribute.length, MODEL_LIMITS.aritiesMax, `attributes of node "${name}"`);
  const attributes = new Map(
    proto.attribute.map((attribute) => {
      return [attribute.name, typeAttribute(op, readAttribute(attribute, name, depth))] as const;
    }),
  );
  // Rounding modes of types that are not read.
  if (op === 'Cast') for (const extra of ['saturate', 'round_mode']) attributes.delete(extra);
  return { name, op, inputs: proto.input, outputs: proto.output, attributes };
}

const FLOATS: readonly number[] = [
  TensorProto_DataType.DOUBLE,
  TensorProto_DataType.FLOAT16,
  TensorProto_DataType.BFLOAT16,
];

/** Where an attribute names an element type, other floats are float32, as in tensors. */
function typeAttribute(op: string, attribute: Attribute): Attribute {
  const names = (op === 'Cast' || op === 'EyeLike') && attribute.kind === 'int';
  return names && FLOATS.includes(attribute.value) ? int(ELEMENT_TYPES.float32) : attribute;
}

function readAttribute(proto: AttributeProto, node: string, depth: number): Attribute {
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
    case AttributeProto_AttributeType.GRAPH:
      if (proto.g === undefined) break;
      return { kind: 'graph', value: readGraph(proto.g, depth + 1) };
    default:
      break;
  }
  const kind = AttributeProto_AttributeType[proto.type] ?? `number ${proto.type}`;
  throw new ProtocolError('model-unsupported', `${where}: kind ${kind} is not supported`);
}
