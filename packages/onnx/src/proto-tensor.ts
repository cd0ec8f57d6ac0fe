import { create } from '@bufbuild/protobuf';
import { ProtocolError } from '@starling/core';
import {
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import { MODEL_LIMITS } from './limits.ts';
import { allocate, elementCount } from './tensor.ts';
import type { DataType, Tensor, TensorData } from './types.ts';

const PROTO_TYPES: ReadonlyMap<DataType, TensorProto_DataType> = new Map([
  ['float32', TensorProto_DataType.FLOAT],
  ['float64', TensorProto_DataType.DOUBLE],
  ['uint8', TensorProto_DataType.UINT8],
  ['int8', TensorProto_DataType.INT8],
  ['int32', TensorProto_DataType.INT32],
  ['int64', TensorProto_DataType.INT64],
  ['bool', TensorProto_DataType.BOOL],
]);
const DATA_TYPE_OF = new Map([...PROTO_TYPES].map(([dtype, proto]) => [Number(proto), dtype]));

export const protoType = (dtype: DataType): TensorProto_DataType => PROTO_TYPES.get(dtype)!;

/** @param where names the value in the error */
export function dataType(proto: number, where: string): DataType {
  const found = DATA_TYPE_OF.get(proto);
  if (found !== undefined) return found;
  const name = TensorProto_DataType[proto] ?? `number ${proto}`;
  throw new ProtocolError('model-unsupported', `${where}: element type ${name} is not supported`);
}

/** Checks rank, sign and size of dimensions before anything is allocated. */
export function checkedShape(dims: readonly bigint[], where: string): number[] {
  const shape = dims.map(Number);
  if (shape.length > MODEL_LIMITS.rankMax) {
    throw new ProtocolError('model-limit', `${where}: ${shape.length} dimensions`);
  }
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw new ProtocolError('model-corrupt', `${where}: shape [${shape}]`);
  }
  if (elementCount(shape) > MODEL_LIMITS.elementsMax) {
    throw new ProtocolError('model-limit', `${where}: shape [${shape}] has too many elements`);
  }
  return shape;
}

/** @throws ProtocolError on external data, unknown element types and a size that does not fit */
export function readTensor(proto: TensorProto, where: string): Tensor {
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL || proto.externalData.length > 0) {
    throw new ProtocolError('model-unsupported', `${where}: external data is refused`);
  }
  const dtype = dataType(proto.dataType, where);
  const shape = checkedShape(proto.dims, where);
  const count = elementCount(shape);
  const data = proto.rawData.length > 0 ? fromRaw(proto, dtype, count, where) : typed(proto, dtype);
  if (data.length !== count) {
    throw new ProtocolError(
      'model-corrupt',
      `${where}: ${data.length} elements for shape [${shape}]`,
    );
  }
  return { dtype, shape, data };
}

function fromRaw(proto: TensorProto, dtype: DataType, count: number, where: string): TensorData {
  const width = allocate(dtype, 0).BYTES_PER_ELEMENT;
  if (proto.rawData.length !== count * width) {
    throw new ProtocolError(
      'model-corrupt',
      `${where}: ${proto.rawData.length} bytes, expected ${count * width}`,
    );
  }
  const data = allocate(dtype, count);
  // The view into the file is unaligned in general, so bytes are copied rather than reinterpreted.
  new Uint8Array(data.buffer).set(proto.rawData);
  return data;
}

function typed(proto: TensorProto, dtype: DataType): TensorData {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(proto.floatData);
    case 'float64':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'int32':
      return Int32Array.from(proto.int32Data);
    case 'int8':
      return Int8Array.from(proto.int32Data);
    default:
      return Uint8Array.from(proto.int32Data);
  }
}

export function writeTensor(name: string, { dtype, shape, data }: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: protoType(dtype),
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  });
}
