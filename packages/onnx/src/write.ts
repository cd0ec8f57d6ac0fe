import { create, toBinary } from '@bufbuild/protobuf';
import { ProtocolError, unreachable } from '@starling/core';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataType,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { inlineFunctions } from './model-functions.ts';
import { protoType, writeFloats, writeTensor } from './proto-tensor.ts';
import { decodeModel, readModel } from './read.ts';
import { elementCount } from './tensor.ts';
import {
  type Attribute,
  type Graph,
  IR_VERSION,
  type Model,
  OPSET,
  type ValueInfo,
} from './types.ts';

/** The same model gives the same bytes. */
export function writeModel(model: Model): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(IR_VERSION),
      producerName: 'starling',
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(OPSET) })],
      graph: writeGraph(model.graph),
    }),
  );
}

function writeGraph(graph: Graph): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name,
    node: graph.nodes.map((node) =>
      create(NodeProtoSchema, {
        name: node.name,
        opType: node.op,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: [...node.attributes].map(([name, value]) => writeAttribute(name, value)),
      }),
    ),
    initializer: [...graph.initializers].map(([name, tensor]) => writeTensor(name, tensor)),
    input: graph.inputs.map(writeValue),
    output: graph.outputs.map(writeValue),
  });
}

function writeValue({ name, dtype, shape }: ValueInfo): ValueInfoProto {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === 'number'
          ? { case: 'dimValue', value: BigInt(size) }
          : { case: 'dimParam', value: size },
    }),
  );
  const value = create(TypeProto_TensorSchema, {
    elemType: protoType(dtype),
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value } }),
  });
}

function writeAttribute(name: string, attribute: Attribute): AttributeProto {
  const Type = AttributeProto_AttributeType;
  const encoder = new TextEncoder();
  switch (attribute.kind) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: Type.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, {
        name,
        type: Type.STRING,
        s: encoder.encode(attribute.value),
      });
    case 'ints':
      return create(AttributeProtoSchema, {
        name,
        type: Type.INTS,
        ints: attribute.value.map(BigInt),
      });
    case 'floats':
      return create(AttributeProtoSchema, {
        name,
        type: Type.FLOATS,
        floats: [...attribute.value],
      });
    case 'strings':
      return create(AttributeProtoSchema, {
        name,
        type: Type.STRINGS,
        strings: attribute.value.map((entry) => encoder.encode(entry)),
      });
    case 'tensor':
      return create(AttributeProtoSchema, {
        name,
        type: Type.TENSOR,
        t: writeTensor('', attribute.value),
      });
    case 'graph':
      return create(AttributeProtoSchema, {
        name,
        type: Type.GRAPH,
        g: writeGraph(attribute.value),
      });
    default:
      return unreachable(attribute);
  }
}

/**
 * The file with other values in some weights and everything else as it was. Weights keep the
 * element type that they have in the file; one that a node described becomes an initializer.
 * @throws ProtocolError `model-mismatch` when a name is missing or a length differs
 */
export function replaceInitializers(
  bytes: Uint8Array,
  values: ReadonlyMap<string, Float32Array>,
): Uint8Array {
  const proto = decodeModel(bytes);
  const tensors = proto.graph?.initializer ?? [];
  const at = new Map(tensors.map(({ name }, i) => [name, i]));
  const stored = [...values].every(([name]) => at.has(name));
  const described = stored ? undefined : readModel(bytes).graph.initializers;
  if (!stored) inlineFunctions(proto);
  for (const [name, data] of values) {
    const held = tensors[at.get(name) ?? -1];
    const shape = held?.dims.map(Number) ?? described?.get(name)?.shape;
    if (shape === undefined || elementCount(shape) !== data.length) {
      throw new ProtocolError(
        'model-mismatch',
        `initializer "${name}": ${data.length} values for shape [${shape ?? 'none'}]`,
      );
    }
    if (held === undefined) storeWeight(proto, name, shape, data);
    else tensors[at.get(name)!] = writeFloats(name, shape, data, held.dataType);
  }
  return toBinary(ModelProtoSchema, proto);
}

/** An initializer in place of the node that describes a weight. */
function storeWeight(
  { graph, irVersion }: ModelProto,
  name: string,
  shape: readonly number[],
  data: Float32Array,
): void {
  const index = graph?.node.findIndex(({ output }) => output[0] === name) ?? -1;
  const [node] = index < 0 ? [] : (graph?.node.splice(index, 1) ?? []);
  const value = node?.attribute.find((attribute) => attribute.name === 'value')?.t;
  const tensor = writeFloats(name, shape, data, value?.dataType ?? TensorProto_DataType.FLOAT);
  graph?.initializer.push(tensor);
  // Up to version 3 of the format an initializer is the default of an input.
  if (irVersion < 4n) graph?.input.push(writeValue({ name, dtype: 'float32', shape }));
}
