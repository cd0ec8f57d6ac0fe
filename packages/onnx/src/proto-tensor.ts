import { create } from '@bufbuild/protobuf';
import { ProtocolError } from '@starling/core';
import {
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import { fromBfloat, fromHalf, toBfloat, toHalf } from './half.ts';
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
const DATA_TYPE_OF = new Map<number, DataType>([
  ...[...PROTO_TYPES].map(([dtype, proto]) => [Number(proto), dtype] as const),
  // Training is in single precision: other floats are converted when they are read.
  [TensorProto_DataType.DOUBLE, 'float32'],
  [TensorProto_DataType.FLOAT16, 'float32'],
  [TensorProto_DataType.BFLOAT16, 'float32'],
]);

export const protoType = (dtype: DataType): TensorProto_DataType => PROTO_TYPES.get(dtype)!;

/**
 * The type that a value has once it is read: float64, float16 and bfloat16 become float32.
 * @param where names the value in the error
 */
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
  const raw = proto.rawData.length > 0;
  const data = raw ? fromRaw(proto, dtype, count, where) : typed(proto);
  if (data.length !== count) {
    const found = data.length === 0 ? 'no data' : `${data.length} elements`;
    throw new ProtocolError('model-corrupt', `${where}: ${found} for shape [${shape}]`);
  }
  return { dtype, shape, data };
}

/** Floats that are stored otherwise than they are held: bytes each, and one of them as a number. */
interface Stored {
  readonly width: number;
  readonly read: (view: DataView, at: number) => number;
  readonly write: (view: DataView, at: number, value: number) => void;
}

const STORED_FLOATS: ReadonlyMap<number, Stored> = new Map<number, Stored>([
  [
    TensorProto_DataType.DOUBLE,
    {
      width: 8,
      read: (view, at) => view.getFloat64(at, true),
      write: (view, at, value) => view.setFloat64(at, value, true),
    },
  ],
  [
    TensorProto_DataType.FLOAT16,
    {
      width: 2,
      read: (view, at) => fromHalf(view.getUint16(at, true)),
      write: (view, at, value) => view.setUint16(at, toHalf(value), true),
    },
  ],
  [
    TensorProto_DataType.BFLOAT16,
    {
      width: 2,
      read: (view, at) => fromBfloat(view.getUint16(at, true)),
      write: (view, at, value) => view.setUint16(at, toBfloat(value), true),
    },
  ],
]);

function fromRaw(proto: TensorProto, dtype: DataType, count: number, where: string): TensorData {
  const stored = STORED_FLOATS.get(proto.dataType);
  const width = stored?.width ?? allocate(dtype, 0).BYTES_PER_ELEMENT;
  const { rawData } = proto;
  if (rawData.length !== count * width) {
    throw new ProtocolError(
      'model-corrupt',
      `${where}: ${rawData.length} bytes, expected ${count * width}`,
    );
  }
  if (stored !== undefined) {
    const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
    return Float32Array.from({ length: count }, (_, i) => stored.read(view, i * width));
  }
  const data = allocate(dtype, count);
  // The view into the file is unaligned in general, so bytes are copied rather than reinterpreted.
  new Uint8Array(data.buffer).set(rawData);
  return data;
}

function typed(proto: TensorProto): TensorData {
  switch (proto.dataType) {
    case TensorProto_DataType.FLOAT:
      return Float32Array.from(proto.floatData);
    case TensorProto_DataType.DOUBLE:
      return Float32Array.from(proto.doubleData);
    case TensorProto_DataType.FLOAT16:
      return Float32Array.from(proto.int32Data, fromHalf);
    case TensorProto_DataType.BFLOAT16:
      return Float32Array.from(proto.int32Data, fromBfloat);
    case TensorProto_DataType.INT64:
      return BigInt64Array.from(proto.int64Data);
    case TensorProto_DataType.INT32:
      return Int32Array.from(proto.int32Data);
    case TensorProto_DataType.INT8:
      return Int8Array.from(proto.int32Data);
    default:
      return Uint8Array.from(proto.int32Data);
  }
}

/** Float32 values as a tensor of the element type `proto`, rounded to it. */
export function writeFloats(
  name: string,
  shape: readonly number[],
  data: Float32Array,
  proto: number,
): TensorProto {
  const stored = STORED_FLOATS.get(proto);
  if (stored === undefined) return writeTensor(name, { dtype: 'float32', shape, data });
  const rawData = new Uint8Array(data.length * stored.width);
  const view = new DataView(rawData.buffer);
  for (const [i, value] of data.entries()) stored.write(view, i * stored.width, value);
  return create(TensorProtoSchema, { name, dataType: proto, dims: shape.map(BigInt), rawData });
}

export function writeTensor(name: string, { dtype, shape, data }: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: protoType(dtype),
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  });
}
