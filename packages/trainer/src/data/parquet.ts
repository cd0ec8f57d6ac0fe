import { errorMessage, ProtocolError } from '@starling/core';
import {
  type AsyncBuffer,
  type FileMetaData,
  type ParquetScan,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { RangeFile } from './file-store.ts';
import { PageCheck } from './parquet-pages.ts';
import { corrupt } from './source.ts';
import type { Cell, TableBatch, TableFile } from './table.ts';

/** Row groups are read as they are up to this many rows; writers make them of 10⁵ to 10⁶. */
const GROUP_ROWS_MAX = 1_048_576;

/**
 * A Parquet file, with any of its encodings and compressions; column by column, one row group at a
 * time.
 * @throws ProtocolError `dataset-corrupt` naming the file
 */
export async function openParquet(file: RangeFile): Promise<TableFile> {
  if (file.byteLength === 0) throw corrupt(file.name, 'the file is empty');
  const buffer: AsyncBuffer = {
    byteLength: file.byteLength,
    slice: async (start, end = file.byteLength) => arrayBufferOf(await file.read(start, end)),
  };
  const remedy = 'Is it a whole Parquet file? Copy it again';
  const metadata = await reading(file.name, remedy, () => parquetMetadataAsync(buffer));
  const scan = await reading(file.name, remedy, () =>
    parquetScan({ file: buffer, metadata, compressors }),
  );
  return new ParquetFile(file, metadata, scan);
}

class ParquetFile implements TableFile {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly #file: RangeFile;
  readonly #scan: ParquetScan;
  readonly #pages: PageCheck;

  constructor(file: RangeFile, metadata: FileMetaData, scan: ParquetScan) {
    this.name = file.name;
    this.#file = file;
    this.#scan = scan;
    this.#pages = new PageCheck(file, metadata);
    this.rows = Number(metadata.num_rows);
    this.columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  }

  async *batches(columns: readonly string[], from: number, to: number): AsyncIterable<TableBatch> {
    for (const range of this.#scan.ranges) {
      for (let first = range.rowStart; first < range.rowEnd; first += GROUP_ROWS_MAX) {
        const rowStart = Math.max(first, from);
        const rowEnd = Math.min(first + GROUP_ROWS_MAX, range.rowEnd, to);
        if (rowStart >= rowEnd) continue;
        yield {
          count: rowEnd - rowStart,
          columns: await this.#columns(columns, rowStart, rowEnd),
          place: (row) => `${this.name}, row ${rowStart + row + 1}`,
        };
      }
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #columns(names: readonly string[], rowStart: number, rowEnd: number) {
    const read: ArrayLike<Cell>[] = [];
    // One after the other: each holds its compressed and its decoded pages for a while.
    for (const column of names) {
      const where = `${this.name}, rows ${rowStart + 1} to ${rowEnd}, column "${column}"`;
      const remedy = 'The file is damaged here; copy or write it again';
      await this.#pages.check(column, rowStart, rowEnd);
      const data = await reading(where, remedy, () =>
        this.#scan.readColumn({ column, rowStart, rowEnd }),
      );
      if (data.length !== rowEnd - rowStart) {
        throw corrupt(where, `${data.length} values, expected ${rowEnd - rowStart}`, remedy);
      }
      read.push(cellsOf(data));
    }
    return read;
  }
}

function cellsOf(data: ArrayLike<unknown>): ArrayLike<Cell> {
  if (data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array) {
    return data;
  }
  return Array.from(data, cellOf);
}

function cellOf(value: unknown): Cell {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') {
    return value;
  }
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(listOf(value), cellOf);
  return value === null || value === undefined ? null : JSON.stringify(value);
}

const listOf = (value: readonly unknown[] | ArrayBufferView): ArrayLike<unknown> =>
  ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : value;

async function reading<T>(where: string, remedy: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw corrupt(where, errorMessage(error), remedy);
  }
}

function arrayBufferOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) {
    return buffer;
  }
  return Uint8Array.prototype.slice.call(new Uint8Array(buffer, byteOffset, byteLength)).buffer;
}
