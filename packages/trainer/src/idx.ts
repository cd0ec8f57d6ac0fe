import { ProtocolError } from '@starling/core';

/** Unsigned bytes of an IDX file, the format of MNIST. */
export interface IdxTensor {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
const RANK_MAX = 4;
const BYTES_MAX = 2 ** 31;

/** Where an IDX file's elements start, and how they lie. */
export interface IdxHeader {
  readonly shape: readonly number[];
  /** First byte of the first element. */
  readonly start: number;
}

export const IDX_HEADER_BYTES_MAX = 4 + 4 * RANK_MAX;

/**
 * Reads the beginning of IDX bytes: two zeros, type, rank, then dimensions as big-endian uint32;
 * behind them lie the elements.
 * @param bytes the file's first `IDX_HEADER_BYTES_MAX`, or all where it has fewer
 * @param length of the whole file
 * @param where names the file in errors
 * @throws ProtocolError `dataset-corrupt`
 */
export function readIdxHeader(bytes: Uint8Array, length: number, where: string): IdxHeader {
  const fail = (message: string): never => {
    throw new ProtocolError('dataset-corrupt', `${where}: ${message}`);
  };
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    fail('not an IDX file (it must start with two zero bytes; unpack .gz files first)');
  }
  if (bytes[2] !== UNSIGNED_BYTE) fail(`element type 0x${bytes[2]!.toString(16)}, expected bytes`);
  const rank = bytes[3]!;
  const start = 4 + 4 * rank;
  if (rank < 1 || rank > RANK_MAX) fail(`${rank} dimensions`);
  if (bytes.length < start) fail('ends inside its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (count > BYTES_MAX) fail(`shape [${shape}] is too large`);
  if (length !== start + count) {
    fail(`${length - start} bytes of data, expected ${count} for shape [${shape}]`);
  }
  return { shape, start };
}

/**
 * Reads a whole IDX file.
 * @param where names the file in errors
 * @throws ProtocolError `dataset-corrupt`
 */
export function readIdx(bytes: Uint8Array, where: string): IdxTensor {
  const { shape, start } = readIdxHeader(bytes, bytes.length, where);
  // A plain view: Node's Buffer, which files are read into, differs in `slice` and in equality.
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  return { shape, data };
}

export function writeIdx({ shape, data }: IdxTensor): Uint8Array {
  const start = 4 + 4 * shape.length;
  const bytes = new Uint8Array(start + data.length);
  const view = new DataView(bytes.buffer);
  bytes[2] = UNSIGNED_BYTE;
  bytes[3] = shape.length;
  for (const [i, dim] of shape.entries()) view.setUint32(4 + 4 * i, dim);
  bytes.set(data, start);
  return bytes;
}
