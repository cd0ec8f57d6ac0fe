import { expect, test } from 'vitest';
import { bar, timeText } from './bar.ts';

test.each([
  [0, '──────────'],
  [0.25, '━━────────'],
  [1, '━━━━━━━━━━'],
  [7, '━━━━━━━━━━'],
  [Number.NaN, '──────────'],
])('a bar of %d', (part, expected) => {
  expect(bar(part, 10, true)).toBe(expected);
});

test('a bar in ASCII', () => {
  expect(bar(0.5, 4, false)).toBe('##--');
});

test.each([
  [0, '0 s'],
  [59.6, '1 min 0 s'],
  [45, '45 s'],
  [3_725, '1 h 2 min'],
  [90_000, '1 d 1 h'],
  [-3, '0 s'],
])('%d seconds are %s', (seconds, expected) => {
  expect(timeText(seconds)).toBe(expected);
});
