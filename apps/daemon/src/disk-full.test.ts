import { expect, test } from 'vitest';
import { isDiskFull } from './disk-full.ts';

test('a full disk is told by Node and by LevelDB in words of their own', () => {
  const ofNode = Object.assign(new Error('write failed'), { code: 'ENOSPC' });
  const ofLevel = new Error('IO error: /state/journal/000009.log: No space left on device');
  expect([ofNode, ofLevel].map(isDiskFull)).toEqual([true, true]);
  expect([new Error('IO error: not a directory'), 'ENOENT'].map(isDiskFull)).toEqual([
    false,
    false,
  ]);
});
