import { TENSOR_BYTES, type TENSOR_TYPES } from '@starling/protocol-infer';

export type TensorType = (typeof TENSOR_TYPES)[number];

/** What a model takes or gives; an open size is null. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: TensorType;
  readonly shape: readonly (number | null)[];
}

/** Elements in row-major order, little-endian; `bool` is one byte of 0 or 1. */
export interface NamedTensor {
  readonly name: string;
  readonly dtype: TensorType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const bytesOf = ({ dtype, shape }: Pick<NamedTensor, 'dtype' | 'shape'>): number =>
  shape.reduce((product, size) => product * size, TENSOR_BYTES[dtype]);

export const shapeText = (shape: readonly (number | null)[]): string =>
  `[${shape.map((size) => size ?? 'any').join(', ')}]`;

/** The protocol's names of element types. */
export const DATATYPES = {
  ...{ float32: 'FP32', float64: 'FP64', int32: 'INT32', int64: 'INT64' },
  ...{ uint8: 'UINT8', int8: 'INT8', bool: 'BOOL' },
} as const satisfies Readonly<Record<TensorType, string>>;

const BY_DATATYPE = new Map(
  Object.entries(DATATYPES).map(([type, name]) => [name, type as TensorType] as const),
);

export const typeOfDatatype = (name: string): TensorType | undefined =>
  BY_DATATYPE.get(name as (typeof DATATYPES)[TensorType]);
