import type { RangeFile } from './file-store.ts';
import type { RawNumbers } from './source.ts';

/** Numbers in one array, its first dimension counting examples. */
export interface ArrayFile {
  /** Names file, and array where there are several, in errors. */
  readonly name: string;
  readonly shape: readonly number[];
  /** The numbers of examples `from` … `from + count − 1`. */
  rows(from: number, count: number): Promise<RawNumbers>;
  close(): Promise<void>;
}

/** Reads the bytes of elements as numbers. */
export type ElementDecoder = (bytes: Uint8Array) => RawNumbers;

export interface ArrayLayout {
  readonly shape: readonly number[];
  /** First byte of the first element. */
  readonly start: number;
  /** Bytes of an element. */
  readonly size: number;
  readonly decode: ElementDecoder;
}

/** An array that lies in a file as it is, in C order. */
export function arrayOf(file: RangeFile, { shape, start, size, decode }: ArrayLayout): ArrayFile {
  const rowBytes = size * shape.slice(1).reduce((product, dim) => product * dim, 1);
  return {
    name: file.name,
    shape,
    rows: async (from, count) =>
      decode(await file.read(start + from * rowBytes, start + (from + count) * rowBytes)),
    close: () => file.close(),
  };
}
