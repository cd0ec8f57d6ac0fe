import { IDX_HEADER_BYTES_MAX, readIdxHeader } from '../idx.ts';
import { type ArrayFile, arrayOf } from './arrays.ts';
import type { RangeFile } from './file-store.ts';

/**
 * An IDX file of bytes, read in pieces.
 * @throws ProtocolError `dataset-corrupt` naming the file
 */
export async function openIdx(file: RangeFile): Promise<ArrayFile> {
  const { byteLength, name } = file;
  const head = await file.read(0, Math.min(IDX_HEADER_BYTES_MAX, byteLength));
  const { shape, start } = readIdxHeader(head, byteLength, name);
  return arrayOf(file, { shape, start, size: 1, decode: (bytes) => bytes });
}
