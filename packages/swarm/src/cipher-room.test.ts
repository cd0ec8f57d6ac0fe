import { expect, test } from 'vitest';
import xsalsa20 from 'xsalsa20';
import { protector } from './libp2p-node.ts';

const KEY = new Uint8Array(32).fill(7);
const cipher = (nonce: number) => xsalsa20(new Uint8Array(24).fill(nonce), KEY);

test('ciphers of many connections do not drive their common memory to its limit', () => {
  protector(KEY);
  const [one, other, third] = [cipher(1), cipher(2), cipher(3)];
  // More than the memory had to begin with: the first of them had to grow it.
  one.update(new Uint8Array(4 * 2 ** 20));
  const before = one._xor._memory?.length;
  for (let i = 0; i < 50; i++) {
    for (const each of [one, other, third]) each.update(new Uint8Array(64 * 1024));
  }
  expect(cipher(4)._xor._memory?.length).toBe(before);
});

test('what one end enciphers in pieces, the other deciphers in other pieces', () => {
  const [there, back] = [cipher(5), cipher(5)];
  const text = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  const sealed = [there.update(text.subarray(0, 1)), there.update(text.subarray(1))];
  const whole = Buffer.concat(sealed);
  const pieces = [whole.subarray(0, 70_001), whole.subarray(70_001)].map((each) =>
    back.update(each),
  );
  expect(Buffer.concat(pieces).equals(Buffer.from(text))).toBe(true);
  expect(whole.equals(Buffer.from(text))).toBe(false);
});
