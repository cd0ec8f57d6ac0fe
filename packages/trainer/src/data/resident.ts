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
