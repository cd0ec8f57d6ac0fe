import { assert, toHex } from '@starling/core';
import { sharedBytes } from './shared-memory.ts';

/**
 * Vectors and chunks of the rounds under way, in memory. Handles are names; the sums can also be
 * found by hash, because other members fetch them as blobs. Large ones lie in shared memory, for
 * the kernels; see shared-memory.ts.
 */
export class VectorStore {
  readonly #words = new Map<string, Uint32Array>();
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #byHash = new Map<string, string>();
  /** Of each job what its next release forgets: slower members may still ask for its sums. */
  readonly #leaving = new Map<string, string>();

  putWords(handle: string, words: Uint32Array): void {
    this.#words.set(handle, words);
  }

  words(handle: string): Uint32Array {
    const words = this.#words.get(handle);
    assert(words !== undefined, `no vector ${handle}`);
    return words;
  }

  /** Large bytes from elsewhere are copied into shared memory. */
  putBytes(handle: string, bytes: Uint8Array, hash?: Uint8Array): void {
    this.#bytes.set(handle, sharedBytes(bytes));
    if (hash !== undefined) this.#byHash.set(toHex(hash), handle);
  }

  bytes(handle: string): Uint8Array | undefined {
    return this.#bytes.get(handle);
  }

  byHash(hash: string): Uint8Array | undefined {
    const handle = this.#byHash.get(hash);
    return handle === undefined ? undefined : this.#bytes.get(handle);
  }

  /** Forgets every vector under `prefix` but one. */
  keepOnly(prefix: string, handle: string): void {
    for (const other of this.#words.keys()) {
      if (other.startsWith(prefix) && other !== handle) this.#words.delete(other);
    }
  }

  /** Forgets what `job` released before, and marks `prefix` to be forgotten next time. */
  release(job: string, prefix: string): void {
    const gone = this.#leaving.get(job);
    this.#leaving.set(job, prefix);
    if (gone === undefined) return;
    const isGone = (handle: string) => handle.startsWith(gone);
    for (const handle of this.#words.keys()) if (isGone(handle)) this.#words.delete(handle);
    for (const handle of this.#bytes.keys()) if (isGone(handle)) this.#bytes.delete(handle);
    for (const [hash, handle] of this.#byHash) if (isGone(handle)) this.#byHash.delete(hash);
  }

  /** Bytes held, for status and for limits. */
  get size(): number {
    let size = 0;
    for (const words of this.#words.values()) size += words.byteLength;
    for (const bytes of this.#bytes.values()) size += bytes.byteLength;
    return size;
  }
}
