import { createCipheriv } from 'node:crypto';
import { expect, test } from 'vitest';
import { addChaCha20 } from './chacha20.ts';

test('the comparison does the work it is said to do: ChaCha20 as OpenSSL has it', () => {
  const key = new Uint8Array(32).map((_, i) => 3 * i);
  const words = new Uint32Array(1000);
  addChaCha20(words, new Uint32Array(key.buffer));
  const stream = createCipheriv('chacha20', key, new Uint8Array(16)).update(new Uint8Array(4000));
  expect(Buffer.from(words.buffer).equals(stream)).toBe(true);
});
