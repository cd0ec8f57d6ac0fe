import { type BlobHash, toHex } from '@starling/core';
import { hashHex } from '@starling/crypto';

/** Below this a synchronous hash is cheaper than a trip to the thread pool. */
const OFF_LOOP_FROM_BYTES = 256 * 1024;

/** The name of `bytes`. Large blobs are hashed off the event loop: no turn may exceed 50 ms. */
export async function blobHashOf(bytes: Uint8Array): Promise<BlobHash> {
  if (bytes.length < OFF_LOOP_FROM_BYTES) return hashHex(bytes) as BlobHash;
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return toHex(new Uint8Array(digest)) as BlobHash;
}
