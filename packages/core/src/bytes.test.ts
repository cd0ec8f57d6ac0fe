import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareBytes,
  compareText,
  concatBytes,
  equalBytes,
  fromHex,
  toHex,
  u32be,
} from './bytes.ts';
import { InvariantError } from './errors.ts';
import { isHash } from './ids.ts';

const blob = fc.uint8Array({ maxLength: 8 });

test('hex there and back', () => {
  fc.assert(
    fc.property(blob, (bytes) => {
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }),
  );
});

test.each(['0', 'AB', 'xy', '0x00', ' 00'])('%j is not hex', (text) => {
  expect(() => fromHex(text)).toThrow(InvariantError);
});

test('the order of bytes is total and agrees with equality and with hex', () => {
  fc.assert(
    fc.property(blob, blob, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(-Math.sign(compareBytes(b, a)) + 0);
      expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b));
      expect(Math.sign(compareBytes(a, b))).toBe(compareText(toHex(a), toHex(b)));
    }),
  );
});

test('concatenation keeps order and length', () => {
  const joined = concatBytes(new Uint8Array([1]), new Uint8Array(0), new Uint8Array([2, 3]));
  expect(toHex(joined)).toBe('010203');
});

test('u32be', () => {
  expect(toHex(u32be(0x01020304))).toBe('01020304');
  expect(toHex(u32be(0xffffffff))).toBe('ffffffff');
  for (const wrong of [-1, 0.5, 2 ** 32, Number.NaN]) {
    expect(() => u32be(wrong)).toThrow(InvariantError);
  }
});

test('a hash is 64 lower-case hex digits', () => {
  expect(isHash('0'.repeat(64))).toBe(true);
  for (const wrong of ['', '0'.repeat(63), 'A'.repeat(64), `${'0'.repeat(64)}\n`]) {
    expect(isHash(wrong)).toBe(false);
  }
});
