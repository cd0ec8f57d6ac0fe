import { type BlobHash, type BlobStore, compareText, type Journal } from '@starling/core';
import { hashHex } from '@starling/crypto';

/** Blobs in memory, for tests and the simulator. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<BlobHash, Uint8Array>();

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
