/**
 * Large vectors lie in shared memory, so that worker threads read and write them where they are.
 * Node's hashes, ciphers, streams, sockets and files take views of it; `crypto.subtle` refuses
 * them. Nobody writes into a vector once it is in the store.
 */

/** Below this a copy costs less than shared memory. */
const SHARE_FROM_BYTES = 64 * 1024;

const bufferOf = (bytes: number): ArrayBuffer | SharedArrayBuffer =>
  bytes < SHARE_FROM_BYTES ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);

/** Room for `length` words, all 0. */
export const newWords = (length: number): Uint32Array => new Uint32Array(bufferOf(4 * length));

/** The same, shared however short: for what several threads write into. */
export const newSharedWords = (length: number): Uint32Array =>
  new Uint32Array(new SharedArrayBuffer(4 * length));

/** Room for `length` bytes, all 0. */
export const newBytes = (length: number): Uint8Array => new Uint8Array(bufferOf(length));

/** The bytes where threads share them: themselves if they are there or are few, else a copy. */
export function sharedBytes(bytes: Uint8Array): Uint8Array {
  const stays = bytes.buffer instanceof SharedArrayBuffer || bytes.length < SHARE_FROM_BYTES;
  if (stays) return bytes;
  const shared = newBytes(bytes.length);
  shared.set(bytes);
  return shared;
}
