import { createHash } from 'node:crypto';
import { toHex } from '@starling/core';

/**
 * SHA-256 (FIPS 180-4) of the concatenation of `parts`, 32 bytes. Nothing marks where a part ends:
 * the caller starts with a label and gives every part but the last a fixed length.
 */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
}

/** `sha256` as 64 lower-case hex digits, the form of BlobHash, JobId and RoundId. */
export function hashHex(...parts: readonly Uint8Array[]): string {
  return toHex(sha256(...parts));
}

/** The same memory without Buffer's own methods, so that no caller comes to depend on them. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
