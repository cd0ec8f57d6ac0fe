import { expect, test } from 'vitest';
import { editsOf, suggestionsFor } from './suggest.ts';

test.each([
  ['status', 'status', 0],
  ['statsu', 'status', 1],
  ['stats', 'status', 1],
  ['statuss', 'status', 1],
  ['ststus', 'status', 1],
  ['', 'abc', 3],
])('%s is %s with %d edits', (a, b, edits) => {
  expect(editsOf(a, b)).toBe(edits);
  expect(editsOf(b, a)).toBe(edits);
});

const NAMES = ['status', 'stop', 'watch', 'launch', 'data'];

test.each([
  ['statsu', ['status']],
  ['wach', ['watch']],
  ['lanch', ['launch']],
  ['bogus', []],
  ['x', []],
])('%s may have been meant as %j', (word, expected) => {
  expect(suggestionsFor(word, NAMES)).toEqual(expected);
});
