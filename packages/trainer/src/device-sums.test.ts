import { expect, test } from 'vitest';
import { sumsInHalf } from './device-sums.ts';

test('the CPU adds up products in float32', async () => {
  expect(await sumsInHalf('cpu', 1)).toBe(false);
});
