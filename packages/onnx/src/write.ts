import { create, toBinary } from '@bufbuild/protobuf';
import { ProtocolError, unreachable } from '@starling/core';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { protoType, writeTensor } from './proto-tensor.ts';
import { decodeModel } from './read.ts';
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
 * The file with other values in some float32 initializers and everything else as it was.
 * @throws ProtocolError `model-mismatch` when a name is missing or a length differs
 */
export function replaceInitializers(
  bytes: Uint8Array,
  values: ReadonlyMap<string, Float32Array>,
): Uint8Array {
  const proto = decodeModel(bytes);
  const tensors = proto.graph?.initializer ?? [];
  for (const [name, data] of values) {
    const at = tensors.findIndex((tensor) => tensor.name === name);
    const shape = tensors[at]?.dims.map(Number);
    if (shape === undefined || elementCount(shape) !== data.length) {
      throw new ProtocolError(
        'model-mismatch',
        `initializer "${name}": ${data.length} values for shape [${shape ?? 'none'}]`,
      );
    }
    tensors[at] = writeTensor(name, { dtype: 'float32', shape, data });
  }
  return toBinary(ModelProtoSchema, proto);
}
