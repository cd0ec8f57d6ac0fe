import { ProtocolError } from '@starling/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { joinNumbers, NUMBER_BITS, splitNumbers, wordsOfNumber } from './index.ts';

const grids = fc.integer({ min: 4, max: 18 }).map((valueBits) => ({ valueBits }));
const peers = fc.array(fc.array(fc.nat(2 ** NUMBER_BITS - 1), { minLength: 5, maxLength: 5 }), {
  minLength: 1,
  maxLength: 16,
  size: 'max',
});

test('numbers in words of any width add up, and no word is wider', () => {
  fc.assert(
    fc.property(grids, peers, (grid, numbers) => {
      const sum = new Uint32Array(5 * wordsOfNumber(grid));
      for (const each of numbers) {
        const words = splitNumbers(each, grid);
        expect(words).toHaveLength(sum.length);
        for (const [i, word] of words.entries()) {
          expect(word).toBeLessThan(2 ** grid.valueBits);
          sum[i]! += word;
        }
      }
      const totals = numbers[0]!.map((_, i) => numbers.reduce((all, each) => all + each[i]!, 0));
      expect([...joinNumbers(sum, numbers.length, grid)]).toEqual(totals);
    }),
  );
});

test('a sum that so many peers cannot have is refused', () => {
  const grid = { valueBits: 4 };
  expect(wordsOfNumber(grid)).toBe(5);
  const words = Uint32Array.of(15, 15, 15, 15, 15);
  expect(() => joinNumbers(words, 3, grid)).toThrow(ProtocolError);
  expect(joinNumbers(words, 5, grid)[0]).toBe(2 ** 20 - 1);
});
