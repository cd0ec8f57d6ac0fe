import { expect, test } from 'vitest';
import { eventLine, isWanted } from './event-lines.ts';

const event = { job: 'ab'.repeat(32), kind: 'rolled-back', text: 'a better\nchain' };

test.each([
  [undefined, undefined, true],
  [[], undefined, true],
  [['rolled-back'], undefined, true],
  [['certified', 'rolled-*'], undefined, true],
  [['rolled'], undefined, false],
  [['*'], event.job, true],
  [undefined, 'cd'.repeat(32), false],
])('types %j and job %s', (types, job, expected) => {
  expect(isWanted(event, { types, job })).toBe(expected);
});

test('a line has the job, the kind and the words, without what a terminal would obey', () => {
  expect(eventLine(event, 'sc\x1bans', 0)).toMatch(
    /^\d\d:\d\d:\d\d {2}sc ans \(abababababab\) {2}rolled-back {2}a better chain$/,
  );
});
