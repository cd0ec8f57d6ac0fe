import { createCipheriv } from 'node:crypto';

/** Bytes that follow from a seed alone, and no two blocks of which are alike. */
export function patternBytes(length: number, seed: number): Uint8Array {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}
