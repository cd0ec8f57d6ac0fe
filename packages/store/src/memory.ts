import {
  type BlobDraft,
  type BlobHash,
  type BlobStore,
  compareText,
  type Journal,
} from '@starling/core';
import { hashHex } from '@starling/crypto';

/** Blobs in memory, for tests and the simulator. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<BlobHash, Uint8Array>();
  readonly #drafts = new Map<BlobHash, Uint8Array>();

  async put(bytes: Uint8Array): Promise<BlobHash> {
    const hash = hashHex(bytes) as BlobHash;
    // Copies on the way in and out: like a disk, the store does not share memory with its callers.
    this.#blobs.set(hash, bytes.slice());
    return hash;
  }

  async get(hash: BlobHash): Promise<Uint8Array | undefined> {
    return this.#blobs.get(hash)?.slice();
  }

  async has(hash: BlobHash): Promise<boolean> {
    return this.#blobs.has(hash);
  }

  async delete(hash: BlobHash): Promise<void> {
    this.#blobs.delete(hash);
  }

  async *list(): AsyncIterable<BlobHash> {
    yield* [...this.#blobs.keys()].sort(compareText);
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    return this.#blobs.get(hash)?.length;
  }

  async read(hash: BlobHash, at: number, length: number): Promise<Uint8Array | undefined> {
    const blob = this.#blobs.get(hash);
    return blob === undefined || at + length > blob.length
      ? undefined
      : blob.slice(at, at + length);
  }

  async draft(hash: BlobHash, size: number): Promise<BlobDraft> {
    const old = this.#drafts.get(hash);
    const bytes = new Uint8Array(size);
    bytes.set(old?.subarray(0, size) ?? []);
    this.#drafts.set(hash, bytes);
    return {
      isNew: old === undefined,
      read: async (at, length) => bytes.slice(at, at + length),
      write: async (at, piece) => bytes.set(piece, at),
      finish: async () => {
        if (hashHex(bytes) !== hash) return false;
        this.#blobs.set(hash, bytes);
        this.#drafts.delete(hash);
        return true;
      },
      close: async () => {},
    };
  }
}

/** A journal in memory, for tests and the simulator. */
export class MemoryJournal implements Journal {
  readonly #values = new Map<string, Uint8Array>();

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#values.set(key, value.slice());
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#values.get(key)?.slice();
  }

  async *entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    for (const key of this.#keys(prefix)) {
      const value = this.#values.get(key);
      if (value !== undefined) yield [key, value.slice()];
    }
  }

  async deletePrefix(prefix: string): Promise<void> {
    for (const key of this.#keys(prefix)) this.#values.delete(key);
  }

  #keys(prefix: string): readonly string[] {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort(compareText);
  }
}
