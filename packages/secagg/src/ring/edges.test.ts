/** What mutation testing found unheld: places that no stream has, counts at their ends. */
import { Secret } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { createDice } from '../testing/random.ts';
import {
  addTags,
  ceilLog2,
  masker,
  maskTo,
  packWords,
  sumInto,
  TAG_BYTES,
  tagOf,
  unpackWords,
} from './index.ts';

const seed = new Secret(new Uint8Array(32).fill(3));

test.each([-1, 0.5, Number.NaN])('a word offset of %s is our bug', (offset) => {
  expect(() => masker([{ seed, sign: 1 }], offset)).toThrow('word offset');
  expect(() => tagOf(new Uint32Array(4), seed, offset)).toThrow('word offset');
});

describe('ceilLog2', () => {
  test.each([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [2 ** 31 - 1, 31],
    [2 ** 31, 31],
  ])('of %i is %i', (count, wanted) => expect(ceilLog2(count)).toBe(wanted));

  test.each([0, -1, 1.5, 2 ** 31 + 1, Number.NaN])('of %s is refused', (count) => {
    expect(() => ceilLog2(count)).toThrow('count');
  });
});

test('more tags than float64 adds exactly are refused', () => {
  const tag = new Uint8Array(TAG_BYTES);
  expect(addTags(new Array<Uint8Array>(2 ** 20).fill(tag))).toEqual(tag);
  expect(() => addTags(new Array<Uint8Array>(2 ** 20 + 1).fill(tag))).toThrow('1048577 tags');
});

test('words of every number pack and come back, in groups and beside them', () => {
  const dice = createDice(5);
  for (const bits of [8, 12, 24, 31, 32]) {
    for (const length of [0, 1, 31, 32, 33, 64, 95, 300]) {
      const words = Uint32Array.from({ length }, () => dice.below(2 ** bits));
      expect(unpackWords(packWords(words, bits), bits, length)).toEqual(words);
    }
  }
});

test('sums wrap at 2^32 in every place, and are cut to the ring', () => {
  const dice = createDice(6);
  for (const length of [0, 1, 7, 8, 9, 16, 50]) {
    const draw = () => Uint32Array.from({ length }, () => dice.below(2 ** 32));
    const [a, b] = [draw(), draw()];
    const wanted = Array.from(a, (word, i) => Number((BigInt(word) + BigInt(b[i]!)) & 0xffffffffn));
    const sum = a.slice();
    sumInto(sum, b);
    expect([...sum]).toEqual(wanted);
    maskTo(sum, 24);
    expect([...sum]).toEqual(wanted.map((word) => word % 2 ** 24));
    const whole = a.slice();
    maskTo(whole, 32);
    expect(whole).toEqual(a);
  }
});
