import { expect, test } from 'vitest';
import { isLoopbackAddress, parseListen } from './addresses.ts';

test.each([
  ['127.0.0.1:7380', { host: '127.0.0.1', port: 7380 }, true],
  ['localhost:0', { host: '127.0.0.1', port: 0 }, true],
  ['127.8.8.8:1', { host: '127.8.8.8', port: 1 }, true],
  ['[::1]:0', { host: '::1', port: 0 }, true],
  ['0.0.0.0:443', { host: '0.0.0.0', port: 443 }, false],
  ['[::]:65535', { host: '::', port: 65_535 }, false],
  ['192.0.2.7:80', { host: '192.0.2.7', port: 80 }, false],
])('%s is an address to listen on', (text, address, isLocal) => {
  expect(parseListen(text)).toEqual(address);
  expect(isLoopbackAddress(address)).toBe(isLocal);
});

test.each([
  ...['', '7380', ':7380', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '::1:80', '[::1]'],
  ...['example.org:80', 'http://127.0.0.1:80', '127.0.0.1:80/', '300.1.1.1:80', '[::g]:1', '1.2:3'],
])('"%s" is none', (text) => {
  expect(parseListen(text)).toBeUndefined();
});
