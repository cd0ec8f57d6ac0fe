import { packedBytes, packWords, ringBudget } from '@starling/secagg';
import { expect, test } from 'vitest';
import { isPacked, isPackedChunk, isPackedSum, sumBytes } from './packed.ts';

const shape = { length: 40, bits: 17, coordinateMax: 2 ** 12 - 1, chunkBytes: 68 };

test('what a cell opened is taken only in the one length and form that it has [S-27]', () => {
  const words = Uint32Array.from({ length: 10 }, (_, i) => i * 7_001);
  const bytes = packWords(words, 17);
  expect(isPacked(bytes, 10, 17)).toBe(true);
  expect(isPacked(bytes.subarray(1), 10, 17)).toBe(false);
  expect(isPacked(Uint8Array.of(...bytes, 0), 10, 17)).toBe(false);
  expect(isPacked(new Uint8Array(0), 10, 17)).toBe(false);
  // 170 bits take 22 bytes: six bits of the last are nobody's.
  const stuffed = bytes.slice();
  stuffed[21]! |= 0b1000_0000;
  expect(isPacked(stuffed, 10, 17)).toBe(false);
});

test('chunks have the ring’s bits, sums those of the whole cell', () => {
  const cell = { shape, members: [1, 2, 3, 4, 5] };
  // 32 words of 17 bits fill a chunk.
  expect(isPackedChunk(packWords(new Uint32Array(32), 17), 0, shape)).toBe(true);
  expect(isPackedChunk(packWords(new Uint32Array(8), 17), 1, shape)).toBe(true);
  expect(isPackedChunk(packWords(new Uint32Array(8), 17), 0, shape)).toBe(false);
  expect(isPackedChunk(packWords(new Uint32Array(32), 17), 2, shape)).toBe(false);
  const bits = ringBudget(17, 5);
  expect(sumBytes(cell, 0)).toBe(packedBytes(32, bits));
  expect(isPackedSum(packWords(new Uint32Array(32), bits), 0, cell)).toBe(true);
  expect(isPackedSum(packWords(new Uint32Array(32), 17), 0, cell)).toBe(false);
});
