import {
  type BlobHash,
  type BlobStore,
  concatBytes,
  type JobId,
  type Journal,
  type Random,
  utf8,
} from '@starling/core';

export interface OwnVectorsParts {
  readonly journal: Journal;
  readonly blobs: BlobStore;
  readonly random: Random;
  readonly job: JobId;
}

/** Bytes before the values that nobody else knows. */
const SALT_BYTES = 32;

/**
 * Vectors of one job that stay on this peer: blobs on its disk, which the journal names. Blobs are
 * served to whoever can name them by their hash, so each of these begins with a salt: not even who
 * guesses the values can ask for it.
 */
export class OwnVectors {
  readonly #parts: OwnVectorsParts;
  readonly #prefix: string;
  readonly #blobs = new Map<string, BlobHash>();

  constructor(parts: OwnVectorsParts) {
    this.#parts = parts;
    this.#prefix = `job/${parts.job}/own/`;
  }

  /** Reads from the journal what there is; to be called once, before all else. */
  async load(): Promise<void> {
    for await (const [key, value] of this.#parts.journal.entries(this.#prefix)) {
      this.#blobs.set(key.slice(this.#prefix.length), new TextDecoder().decode(value) as BlobHash);
    }
  }

  /** Names of all vectors. */
  keys(): readonly string[] {
    return [...this.#blobs.keys()];
  }

  /** The blobs that hold them. */
  hashes(): readonly BlobHash[] {
    return [...this.#blobs.values()];
  }

  /** Undefined where there is none, or the disk has lost it. */
  async get(key: string): Promise<Float32Array | undefined> {
    const hash = this.#blobs.get(key);
    const bytes = hash && (await this.#parts.blobs.get(hash));
    return bytes && new Float32Array(bytes.slice(SALT_BYTES).buffer);
  }

  /** Resolves when it is on disk, in place of one of the same name. */
  async put(key: string, values: Float32Array): Promise<void> {
    const { journal, blobs, random } = this.#parts;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const hash = await blobs.put(concatBytes(random.bytes(SALT_BYTES), bytes));
    const before = this.#blobs.get(key);
    this.#blobs.set(key, hash);
    await journal.put(this.#prefix + key, utf8(hash));
    if (before !== undefined) await blobs.delete(before);
  }

  /** No name of a vector may begin with that of another. */
  async delete(key: string): Promise<void> {
    const hash = this.#blobs.get(key);
    this.#blobs.delete(key);
    await this.#parts.journal.deletePrefix(this.#prefix + key);
    if (hash !== undefined) await this.#parts.blobs.delete(hash);
  }
}
