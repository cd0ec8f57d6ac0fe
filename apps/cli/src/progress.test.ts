import { expect, test } from 'vitest';
import { progressText } from './progress.ts';

test('progress says what is left where the end is known, else what is done', () => {
  expect(progressText(40, 100, 8)).toBe('40 %, 12 s left');
  expect(progressText(0, 100, 2)).toBe('0 %, 200 s left');
  expect(progressText(100, 100, 8)).toBe('100 %, 0 s left');
  expect(progressText(123, Number.NaN, 8)).toBe('123 so far');
});
