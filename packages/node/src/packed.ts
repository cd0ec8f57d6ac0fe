import { chunkLayout, packedBytes, type RingShape, ringBudget } from '@starling/secagg';

/** How the words of a cell's vector are packed on the wire. */
interface CellShape {
  readonly shape: RingShape;
  readonly members: readonly unknown[];
}

/** Packed bytes of a chunk's integer sum over the roster. */
export function sumBytes({ shape, members }: CellShape, chunk: number): number {
  return packedBytes(layoutOf(shape).wordsOf(chunk), ringBudget(shape.bits, members.length));
}

export const layoutOf = ({ length, bits, chunkBytes }: RingShape) =>
  chunkLayout(length, bits, { chunkBytes });

export function isPackedChunk(bytes: Uint8Array, chunk: number, shape: RingShape): boolean {
  const layout = layoutOf(shape);
  return chunk < layout.count && isPacked(bytes, layout.wordsOf(chunk), shape.bits);
}

export const isPackedSum = (bytes: Uint8Array, chunk: number, { shape, members }: CellShape) =>
  isPacked(bytes, layoutOf(shape).wordsOf(chunk), ringBudget(shape.bits, members.length));

/** Whether bytes have the exact length of these words, and nothing in the bits behind the last. */
export function isPacked(bytes: Uint8Array, words: number, bits: number): boolean {
  if (bytes.length !== packedBytes(words, bits)) return false;
  const used = (words * bits) % 8;
  return used === 0 || bytes.at(-1)! >> used === 0;
}
