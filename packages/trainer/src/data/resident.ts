import { createGenerator, permutation } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { type DataSource, type Examples, type SourceInfo, targetWidth } from './source.ts';

const ELEMENT_BYTES = { uint8: 1, int32: 4, float32: 4 } as const;

const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, dim) => product * dim, 1);

/** Memory that one example takes in the form that trains. */
export const exampleBytes = ({ shape, elements, target }: SourceInfo): number =>
  ELEMENT_BYTES[elements.dtype] * sizeOf(shape) + 4 * targetWidth(target);

/** Memory that all examples take in the form that trains. */
export const residentBytes = (info: SourceInfo): number => info.count * exampleBytes(info);

/**
 * All examples in memory.
 * @throws ProtocolError `data-too-large` when they take more than `bytesMax`
 */
export async function loadResident(source: DataSource, bytesMax: number): Promise<Examples> {
  const bytes = residentBytes(source.info);
  if (bytes > bytesMax) {
    const what = `${source.info.count} examples take ${bytes} bytes of memory, at most ${bytesMax}`;
    throw new ProtocolError('data-too-large', what);
  }
  return source.read(0, source.info.count);
}

export interface SplitOptions {
  /** What decides which examples validate. */
  readonly seed: number;
  /** Part of the examples that validates; a tenth unless told. */
  readonly validation?: number;
}

/**
 * Which examples validate and never train: a function of their number and the seed alone, whatever
 * the order in which they are read. At least one validates and one trains.
 */
export class Split {
  readonly count: number;
  /** Number of examples that validate. */
  readonly validating: number;
  readonly #bits: Uint8Array;

  constructor(count: number, { seed, validation = 0.1 }: SplitOptions) {
    this.count = count;
    this.validating = Math.min(count - 1, Math.max(1, Math.floor(count * validation)));
    this.#bits = new Uint8Array(Math.ceil(count / 8));
    const order = permutation(count, createGenerator(seed));
    for (const index of order.subarray(count - this.validating)) {
      this.#bits[index >> 3]! |= 1 << (index & 7);
    }
  }

  validates(index: number): boolean {
    return (this.#bits[index >> 3]! & (1 << (index & 7))) !== 0;
  }

  /** Of the examples `from` … `from + count − 1`, counted from 0 at `from`. */
  indices(part: 'training' | 'validation', from = 0, count = this.count): Int32Array {
    const wanted = part === 'validation';
    const found: number[] = [];
    for (let i = 0; i < count; i++) if (this.validates(from + i) === wanted) found.push(i);
    return Int32Array.from(found);
  }
}
