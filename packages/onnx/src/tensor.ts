import { assert } from '@starling/core';
import type { DataType, Tensor, TensorData } from './types.ts';

export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, dim) => product * dim, 1);

/** An array of zeros for `count` elements of `dtype`. */
export function allocate(dtype: DataType, count: number): TensorData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(count);
    case 'float64':
      return new Float64Array(count);
    case 'int8':
      return new Int8Array(count);
    case 'int32':
      return new Int32Array(count);
    case 'int64':
      return new BigInt64Array(count);
    default:
      return new Uint8Array(count);
  }
}

/** @param values rounded to `dtype` as a typed array does */
export function tensorOf(
  dtype: DataType,
  shape: readonly number[],
  values: ArrayLike<number>,
): Tensor {
  const count = elementCount(shape);
  assert(count === values.length, `${values.length} values for shape [${shape}]`);
  const data = allocate(dtype, count);
  if (data instanceof BigInt64Array) {
    for (let i = 0; i < count; i++) data[i] = BigInt(withinInt64(Math.trunc(values[i]!)));
  } else {
    data.set(values);
  }
  return { dtype, shape, data };
}

/** The largest number below 2^63. */
const INT64_NUMBER_MAX = 2 ** 63 - 1024;

/**
 * `value` as a number that an int64 can hold. Exporters write INT64_MAX for "to the end"; as a
 * number that is 2^63, which would come back from an int64 as −2^63.
 */
export const withinInt64 = (value: number | bigint): number =>
  Math.max(-(2 ** 63), Math.min(Number(value), INT64_NUMBER_MAX));

export const scalar = (value: number, dtype: DataType = 'float32'): Tensor =>
  tensorOf(dtype, [], [value]);

/** A one-dimensional int64 tensor: shapes, axes, pads. */
export const int64s = (values: readonly number[]): Tensor =>
  tensorOf('int64', [values.length], values);

/** Elements as JavaScript numbers; int64 beyond 2^53 loses its low bits. */
export function numbersOf(tensor: Tensor): number[] {
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** Row-major strides: elements to skip per step along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** The shape of `a` and `b` together under ONNX broadcasting, undefined when they do not fit. */
export function broadcastShapes(
  a: readonly number[],
  b: readonly number[],
): readonly number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    out.push(left === 1 ? right : left);
  }
  return out;
}

export const equalShapes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);
