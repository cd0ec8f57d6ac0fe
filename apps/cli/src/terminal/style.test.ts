import { expect, test } from 'vitest';
import { canRedraw, isUnicode, styled, wantsColour } from './style.ts';

const terminal = { isTTY: true };
const file = { isTTY: false };

test.each([
  ['a terminal', terminal, {}, true],
  ['a file or a pipe', file, {}, false],
  ['NO_COLOR', terminal, { NO_COLOR: '1' }, false],
  ['an empty NO_COLOR, which counts as none', terminal, { NO_COLOR: '' }, true],
  ['a dumb terminal', terminal, { TERM: 'dumb' }, false],
  ['FORCE_COLOR', file, { FORCE_COLOR: '1' }, true],
  ['FORCE_COLOR=0', terminal, { FORCE_COLOR: '0' }, false],
  ['FORCE_COLOR before NO_COLOR, as in Node', file, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
])('colours with %s', (_, outlet, environment, expected) => {
  expect(wantsColour(outlet, environment)).toBe(expected);
});

test('lines are replaced on terminals that can', () => {
  expect(canRedraw(terminal, { TERM: 'xterm' })).toBe(true);
  expect(canRedraw(terminal, { TERM: 'dumb' })).toBe(false);
  expect(canRedraw(file, { TERM: 'xterm' })).toBe(false);
});

test.each([
  [{ LANG: 'de_DE.UTF-8' }, 'linux', true],
  [{ LANG: 'C.utf8' }, 'linux', true],
  [{ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }, 'linux', false],
  [{ LANG: 'C', LC_CTYPE: 'en_GB.UTF-8' }, 'darwin', true],
  [{}, 'linux', false],
  [{}, 'win32', true],
])('characters of %j on %s', (environment, platform, expected) => {
  expect(isUnicode(environment, platform)).toBe(expected);
});

test('a style ends where it began to be', () => {
  expect(styled('bold', 'x')).toBe('\x1b[1mx\x1b[22m');
  expect(styled('bold', '')).toBe('');
});
