import { expect, test } from 'vitest';
import { duration, kOfN } from './options.ts';

test.each([
  ['90s', 90],
  ['30min', 1_800],
  ['12h', 43_200],
  ['7d', 604_800],
  ['52w', 31_449_600],
  ['2 d', 172_800],
])('%s is a duration', (text, seconds) => {
  expect(duration(text)).toBe(seconds);
});

test.each(['', '7', 'd', '0d', '-1d', '1.5h', '1y', '1234567s', 'soon'])(
  '"%s" is no duration',
  (text) => {
    expect(() => duration(text)).toThrow('expected a duration');
  },
);

test.each([
  ['1-of-1', { k: 1, n: 1 }],
  ['2-of-3', { k: 2, n: 3 }],
  ['16-of-16', { k: 16, n: 16 }],
])('%s is an authority', (text, wanted) => {
  expect(kOfN(text)).toEqual(wanted);
});

test.each(['', '2', '0-of-3', '4-of-3', '2-of-17', '2of3', 'a-of-b'])('"%s" is none', (text) => {
  expect(() => kOfN(text)).toThrow('expected k-of-n');
});
