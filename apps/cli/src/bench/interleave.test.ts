import { expect, test } from 'vitest';
import { interleave, median, medianRatio } from './interleave.ts';

test('every repetition runs all, each in the reverse order of the one before', () => {
  const order: string[] = [];
  const contender = (name: string) => ({ name, bytes: 1, run: () => void order.push(name) });
  const rates = interleave([contender('a'), contender('b')], 3);
  expect(order.join('')).toBe('baabbaab');
  expect([...rates.values()].map(({ length }) => length)).toEqual([3, 3]);
});

test('ratios are taken within a repetition, and then their median', () => {
  const rates = new Map([
    ['a', [2, 100, 9]],
    ['b', [1, 50, 3]],
  ]);
  expect(medianRatio(rates, 'a', 'b')).toBe(2);
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
});
