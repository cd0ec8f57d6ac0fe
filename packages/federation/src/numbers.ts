import { ProtocolError } from '@starling/core';
import type { UpdateCodec } from './codec.ts';

type Grid = Pick<UpdateCodec, 'valueBits'>;

/**
 * Bits of a whole number that travels beside the weights: a count, or a buffer's grid point. A word
 * may be narrower, so a number is cut into as many words as it needs; their sums are put together
 * again.
 */
export const NUMBER_BITS = 18;
export const NUMBER_MAX = 2 ** NUMBER_BITS - 1;

/** Words of one number. */
export const wordsOfNumber = ({ valueBits }: Grid): number => Math.ceil(NUMBER_BITS / valueBits);

/** Words of `numbers`, each from 0 to NUMBER_MAX, its lowest bits first. */
export function splitNumbers(numbers: ArrayLike<number>, grid: Grid): Uint32Array {
  const each = wordsOfNumber(grid);
  const base = 2 ** grid.valueBits;
  const words = new Uint32Array(numbers.length * each);
  for (let i = 0; i < numbers.length; i++) {
    let rest = numbers[i]!;
    for (let k = 0; k < each; k++) {
      words[i * each + k] = rest % base;
      rest = Math.floor(rest / base);
    }
  }
  return words;
}

/**
 * The sums of numbers from the sums of their words.
 * @throws ProtocolError 'sum-out-of-range' where no `count` numbers can add up to one
 */
export function joinNumbers(sums: Uint32Array, count: number, grid: Grid): Uint32Array {
  const each = wordsOfNumber(grid);
  const base = 2 ** grid.valueBits;
  const numbers = new Uint32Array(sums.length / each);
  for (let i = 0; i < numbers.length; i++) {
    let number = 0;
    for (let k = each - 1; k >= 0; k--) number = number * base + sums[i * each + k]!;
    if (number > count * NUMBER_MAX) {
      throw new ProtocolError(
        'sum-out-of-range',
        `number ${i} of ${count} peers adds up to ${number}`,
      );
    }
    numbers[i] = number;
  }
  return numbers;
}
