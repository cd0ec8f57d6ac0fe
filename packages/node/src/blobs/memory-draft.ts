import { type BlobDraft, type BlobHash, toHex } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { PIECE_BYTES, pieceLength } from '@starling/protocol-blobs';

export interface MemoryDraft extends BlobDraft {
  /** The blob, once `finish` was true. */
  bytes(): Uint8Array;
}

/**
 * A blob that comes in pieces and is not to be kept on disk. The declared size takes no memory:
 * that is taken as the pieces come.
 */
export function memoryDraft(hash: BlobHash, size: number): MemoryDraft {
  const pieces = new Map<number, Uint8Array>();
  let whole: Uint8Array<ArrayBuffer> | undefined;
  return {
    isNew: true,
    read: async (at, length) => {
      const piece = pieces.get(at / PIECE_BYTES) ?? new Uint8Array(length);
      return piece.subarray(0, length);
    },
    write: async (at, bytes) => void pieces.set(at / PIECE_BYTES, bytes),
    async finish() {
      const bytes = new Uint8Array(size);
      for (let index = 0; index * PIECE_BYTES < size; index++) {
        const piece = pieces.get(index);
        if (piece?.length !== pieceLength(size, index)) return false;
        bytes.set(piece, index * PIECE_BYTES);
      }
      if ((await hashOf(bytes)) !== hash) return false;
      whole = bytes;
      pieces.clear();
      return true;
    },
    bytes: () => whole ?? new Uint8Array(0),
    close: async () => pieces.clear(),
  };
}

/** Below this a synchronous hash is cheaper than a trip to the thread pool. */
const OFF_LOOP_FROM_BYTES = 16 * 1024 * 1024;

/** Large blobs are hashed off the event loop: no turn may exceed 50 ms. */
async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (bytes.length < OFF_LOOP_FROM_BYTES) return hashHex(bytes);
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}
