import { ProtocolError } from '@starling/core';

export const DATA_FORMATS = [
  'idx',
  'csv',
  'json-lines',
  'parquet',
  'npy',
  'npz',
  'images',
  'text',
] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];

/** What a model is to answer for one example. */
export type TargetInfo =
  | { readonly kind: 'none' }
  /** An int32 from 0 to count − 1. */
  | {
      readonly kind: 'classes';
      readonly count: number;
      /** Name of each class, where the data name them. */
      readonly names: readonly string[] | null;
    }
  /** float32 [width] */
  | { readonly kind: 'numbers'; readonly width: number }
  /** int32 [length], each from 0 to count − 1: the token that follows each token of the input. */
  | { readonly kind: 'sequence'; readonly count: number; readonly length: number };

/** Numbers in one example's target; 0 where there is none. */
export function targetWidth(target: TargetInfo): number {
  switch (target.kind) {
    case 'none':
      return 0;
    case 'classes':
      return 1;
    case 'numbers':
      return target.width;
    case 'sequence':
      return target.length;
  }
}

/** Room for the targets of `count` examples; null where they have none. */
export function targetArray(target: TargetInfo, count: number): Int32Array | Float32Array | null {
  if (target.kind === 'none') return null;
  const length = count * targetWidth(target);
  return target.kind === 'numbers' ? new Float32Array(length) : new Int32Array(length);
}

/**
 * How elements are kept: bytes and what the graph multiplies them by, indices of tokens, or numbers
 * that are ready as they are.
 */
export type ElementInfo =
  | { readonly dtype: 'uint8'; readonly scale: number }
  | { readonly dtype: 'float32' }
  | { readonly dtype: 'int32' };

export interface SourceInfo {
  readonly format: DataFormat;
  /** Number of examples. */
  readonly count: number;
  /** Shape of one example. */
  readonly shape: readonly number[];
  readonly elements: ElementInfo;
  readonly target: TargetInfo;
}

/** Examples in the form that a training graph is fed with. */
export interface Examples {
  readonly count: number;
  /** [count, …shape] of the source's element type. */
  readonly inputs: Uint8Array | Float32Array | Int32Array;
  /** [count], [count, width] or [count, length] as the target has it; null where there is none. */
  readonly targets: Int32Array | Float32Array | null;
}

/** Examples of a data set, however they are stored; read in any range, in any order. */
export interface DataSource {
  readonly info: SourceInfo;
  /**
   * The examples `from` … `from + count − 1`. Memory is that of the answer and of a bounded block.
   * @throws ProtocolError `dataset-corrupt` naming file and place
   */
  read(from: number, count: number): Promise<Examples>;
  close(): Promise<void>;
}

/** Numbers of examples as files have them. */
export type RawNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/**
 * Called now and then while something long goes on.
 * @param done of `total`, in whatever unit
 */
export type Progress = (done: number, total: number) => void;

/**
 * A file that cannot be used as it is.
 * @param where file, and where known line or row, and column
 * @param remedy what to do, a sentence
 */
export function corrupt(where: string, what: string, remedy?: string): ProtocolError {
  const message = remedy === undefined ? `${where}: ${what}` : `${where}: ${what}. ${remedy}`;
  return new ProtocolError('dataset-corrupt', message);
}
