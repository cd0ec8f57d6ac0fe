import { expect, test } from 'vitest';
import { bytes, count, decimal, duration, fileName, percent, plural, shortPeer } from './format.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [200 * 1024, '200 KiB'],
  [20 * 2 ** 30, '20.0 GiB'],
  [5000 * 2 ** 40, '5000 TiB'],
])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

test.each([
  [0.25, '0.3 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [3725, '1 h 2 min'],
  [49 * 3600, '2 d 1 h'],
  [null, '–'],
])('%s seconds are %s', (value, text) => expect(duration(value)).toBe(text));

test('numbers that are not known are a dash, and small ones keep their digits', () => {
  expect([decimal(null), percent(undefined), percent(0.9714)]).toEqual(['–', '–', '97.1 %']);
  expect([decimal(0.000012345), decimal(12.34567), decimal(0)]).toEqual(['1.23e-5', '12.35', '0']);
  expect([count(1234567), plural(1, 'peer'), plural(2, 'peer')]).toEqual([
    ...['1,234,567', '1 peer', '2 peers'],
  ]);
});

test('a name of a stranger makes no path', () => {
  expect(fileName('../../etc/pass wd')).toBe('etc-pass-wd');
  expect(fileName('…')).toBe('model');
  expect(shortPeer('12D3KooWabcdefghijk')).toBe('…defghijk');
});
