import { ConfigError } from '@starling/core';
import type { NamedTensor, TensorSpec, TensorType } from '@starling/serving';
import { type NumberArray, readNpy } from '@starling/trainer';
import { readInput } from './files.ts';

const ARRAYS = {
  ...{ float32: Float32Array, float64: Float64Array, int32: Int32Array },
  ...{ uint8: Uint8Array, int8: Int8Array, bool: Uint8Array },
} as const;

/**
 * A tensor out of a NumPy file or of JSON with nested numbers, in the type that an input has.
 * @throws ConfigError naming the file; ProtocolError for a damaged array
 */
export async function readTensor(path: string, { name, dtype }: TensorSpec): Promise<NamedTensor> {
  const bytes = await readInput('input', path);
  const array = path.endsWith('.npy') ? await readNpy(bytes, path) : readJson(bytes, path);
  return { name, dtype, shape: array.shape, bytes: elementsOf(array, dtype) };
}

function elementsOf({ values }: NumberArray, dtype: TensorType): Uint8Array {
  const array =
    dtype === 'int64'
      ? BigInt64Array.from(Array.from(values, (value) => BigInt(Math.trunc(value))))
      : ARRAYS[dtype].from(values);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function readJson(bytes: Uint8Array, path: string): NumberArray {
  let data: unknown;
  try {
    data = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new ConfigError('input', `${path} is no JSON (${(error as Error).message})`);
  }
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values = [data].flat(shape.length + 1) as unknown[];
  const length = shape.reduce((product, size) => product * size, 1);
  const isWhole = values.length === length && values.every((each) => typeof each === 'number');
  if (isWhole) return { shape, values: values as number[] };
  const hint = 'Nest numbers evenly, as [[1, 2], [3, 4]]';
  throw new ConfigError('input', `${path} has no array of numbers`, hint);
}

/** Elements as numbers, for people and JSON; whole numbers beyond 2^53 lose their last digits. */
export function valuesOf(dtype: TensorType, bytes: Uint8Array): readonly number[] {
  // What came off a stream lies anywhere.
  const { buffer } = new Uint8Array(bytes);
  if (dtype === 'int64') return Array.from(new BigInt64Array(buffer), Number);
  return Array.from(new ARRAYS[dtype](buffer));
}
