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
export { addMask, addMasks, addMasksWith, type MaskTerm, masker } from './masks.ts';
export { packedBytes, packInto, packWords, unpackInto, unpackWords } from './packing.ts';
export { addTags, isTag, TAG_BYTES, tagger, tagOf } from './tags.ts';
export { bytesOfWords, maskTo, sumInto, wordsOfBytes } from './words.ts';
