import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes } from '@starling/core';
import type { Secret } from './secret.ts';

const CIPHER = 'chacha20-poly1305';
const TAG_BYTES = 16;
/**
 * All zero, because every key seals one message in its life: it is derived per attempt, sender and
 * receiver. Under one key two messages with one nonce would reveal each other.
 */
const NONCE = new Uint8Array(12);

/**
 * ChaCha20-Poly1305 (RFC 8439): ciphertext, then the 16-byte tag. `associated` is authenticated
 * only.
 * @param key 32 bytes, used for this one message
 */
export function seal(key: Secret, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key.reveal(), NONCE, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated, { plaintextLength: plaintext.length });
  const body = cipher.update(plaintext);
  cipher.final();
  return concatBytes(body, cipher.getAuthTag());
}

/** The plaintext, or undefined when anything differs from what was sealed. */
export function open(
  key: Secret,
  sealed: Uint8Array,
  associated: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const body = sealed.subarray(0, sealed.length - TAG_BYTES);
  const cipher = createDecipheriv(CIPHER, key.reveal(), NONCE, { authTagLength: TAG_BYTES });
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  cipher.setAAD(associated, { plaintextLength: body.length });
  const plaintext = Uint8Array.from(cipher.update(body));
  try {
    cipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}
