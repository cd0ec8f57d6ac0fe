export { ceilLog2, fitsRingBudget, RING_BITS_MAX, RING_BITS_MIN, ringBudget } from './budget.ts';
export {
  referenceKernel,
  type Sign,
  type TileKernel,
  tileKernel,
  unrolledKernel,
  wasmKernel,
} from './kernels.ts';
export { CHUNK_BYTES, type ChunkLayout, type ChunkOptions, chunkLayout } from './layout.ts';
export { addMask, addMasks, addMasksWith, type MaskTerm } from './masks.ts';
export { packedBytes, packWords, unpackWords } from './packing.ts';
export { bytesOfWords, maskTo, sumInto, wordsOfBytes } from './words.ts';
