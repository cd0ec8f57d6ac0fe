import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ProtocolError } from '@starling/core';
import { type DataType, elementCount, numbersOf, type TensorData, tensorOf } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import { loadOrt } from './ort.ts';

/** A raw little-endian file beside `case.json`. */
export interface FileEntry {
  readonly file: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export async function readCase<T>(dir: string): Promise<T> {
  return JSON.parse(await readFile(join(dir, 'case.json'), 'utf8'));
}

type StoredType = 'float32' | 'float64' | 'int32' | 'int64';

const STORED: { readonly [dtype in StoredType]: (bytes: ArrayBuffer) => TensorData } = {
  float32: (bytes) => new Float32Array(bytes),
  float64: (bytes) => new Float64Array(bytes),
  int32: (bytes) => new Int32Array(bytes),
  int64: (bytes) => new BigInt64Array(bytes),
};

const isStored = (dtype: string): dtype is StoredType => Object.hasOwn(STORED, dtype);

async function readData(dir: string, { file, shape, dtype }: FileEntry) {
  if (!isStored(dtype)) throw new ProtocolError('case-corrupt', `${file}: type ${dtype}`);
  const bytes = await readFile(join(dir, basename(file)));
  const width = dtype === 'int64' || dtype === 'float64' ? 8 : 4;
  if (bytes.length !== elementCount(shape) * width) {
    const what = `${bytes.length} bytes for [${shape}] ${dtype}`;
    throw new ProtocolError('case-corrupt', `${file}: ${what}`);
  }
  return { dtype, shape, data: STORED[dtype](new Uint8Array(bytes).buffer) };
}

export async function readFloats(dir: string, entry: FileEntry): Promise<Float32Array> {
  return Float32Array.from(numbersOf(await readData(dir, entry)));
}

/** The file's values as the graph takes them: labels of 64 bits travel as int32. */
export async function readTensor(dir: string, entry: FileEntry, dtype: DataType): Promise<Tensor> {
  const { Tensor } = await loadOrt();
  const { data } = tensorOf(dtype, entry.shape, numbersOf(await readData(dir, entry)));
  return new Tensor(dtype, data, entry.shape);
}
