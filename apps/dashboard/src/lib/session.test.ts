import { expect, test } from 'vitest';
import { takeToken, tokenIn } from './session.ts';

const TOKEN = 'abcdefghijklmnop_-0123456789';

function tab(hash: string, kept = new Map<string, string>()) {
  const addresses: string[] = [];
  const window = {
    location: { hash, pathname: '/', search: '' },
    history: { replaceState: (_: unknown, __: string, to: string) => addresses.push(to) },
    sessionStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    },
  };
  return { window: window as unknown as Window, addresses, kept };
}

test('a token goes from the address into the tab', () => {
  const { window, addresses, kept } = tab(`#token=${TOKEN}`);
  expect(takeToken(window)).toBe(TOKEN);
  expect(addresses).toEqual(['/']);
  expect(takeToken(tab('#/jobs', kept).window)).toBe(TOKEN);
});

test('without one there is none, and the address stays', () => {
  const { window, addresses } = tab('#/jobs');
  expect(takeToken(window)).toBeUndefined();
  expect(addresses).toEqual([]);
});

test.each(['#token=', '#token=short', `#token=${TOKEN}&x=1`, `#/token=${TOKEN}`])(
  '%s is no token',
  (fragment) => expect(tokenIn(fragment)).toBeUndefined(),
);
