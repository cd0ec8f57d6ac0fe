import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, type BlobHash, type BlobStore, isHash } from '@starling/core';
import { syncDirectory, unlessMissing, writeDurably } from './files.ts';
import { blobHashOf } from './hash.ts';

const SHARD = /^[0-9a-f]{2}$/;

/**
 * One file per blob, `<first two digits>/<hash>`, written to `tmp/` and renamed. A file whose bytes
 * no longer give its name is moved to `corrupt/` (for whoever looks into the disk) and counts as
 * not held, so that it is fetched again. One process owns the directory.
 */
export class FileBlobStore implements BlobStore {
  readonly #directory: string;
  /** A second `put` of the same bytes waits for the first: it must not resolve before the fsync. */
  readonly #writing = new Map<BlobHash, Promise<void>>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Opens or creates the store; half-written files of an earlier run are removed. */
  static async open(directory: string): Promise<FileBlobStore> {
    await rm(join(directory, 'tmp'), { recursive: true, force: true });
    await mkdir(join(directory, 'tmp'), { recursive: true, mode: 0o700 });
    await mkdir(join(directory, 'corrupt'), { recursive: true, mode: 0o700 });
    return new FileBlobStore(directory);
  }

  async put(bytes: Uint8Array): Promise<BlobHash> {
    const hash = await blobHashOf(bytes);
    const ongoing = this.#writing.get(hash);
    if (ongoing !== undefined) {
      await ongoing;
      return hash;
    }
    const write = this.#write(hash, bytes).finally(() => this.#writing.delete(hash));
    this.#writing.set(hash, write);
    await write;
    return hash;
  }

  async #write(hash: BlobHash, bytes: Uint8Array): Promise<void> {
    // A held file is read again, not trusted: a put is also how a corrupt blob is repaired.
    if ((await this.get(hash)) !== undefined) return;
    const shard = join(this.#directory, hash.slice(0, 2));
    const first = await mkdir(shard, { recursive: true, mode: 0o700 });
    if (first !== undefined) await syncDirectory(this.#directory);
    await writeDurably(this.#path(hash), join(this.#directory, 'tmp', hash), bytes);
  }

  async get(hash: BlobHash): Promise<Uint8Array | undefined> {
    const file = await unlessMissing(readFile(this.#path(hash)));
    if (file === undefined) return undefined;
    const bytes = new Uint8Array(file.buffer, file.byteOffset, file.length);
    if ((await blobHashOf(bytes)) === hash) return bytes;
    // Two readers may both find the damage; the second one's rename finds nothing, which is fine.
    const aside = join(this.#directory, 'corrupt', hash);
    await unlessMissing(rename(this.#path(hash), aside));
    return undefined;
  }

  /** Whether a file of that name is there; only `get` proves the bytes. */
  async has(hash: BlobHash): Promise<boolean> {
    const there = await unlessMissing(access(this.#path(hash)).then(() => true));
    return there ?? false;
  }

  async delete(hash: BlobHash): Promise<void> {
    await rm(this.#path(hash), { force: true });
  }

  async *list(): AsyncIterable<BlobHash> {
    const shards = (await readdir(this.#directory)).filter((name) => SHARD.test(name)).sort();
    for (const shard of shards) {
      const names = (await readdir(join(this.#directory, shard))).filter(isHash).sort();
      for (const name of names) yield name as BlobHash;
    }
  }

  #path(hash: BlobHash): string {
    // The name becomes a path: a forged brand must not climb out of the directory.
    assert(isHash(hash), `not a blob hash: ${hash.slice(0, 80)}`);
    return join(this.#directory, hash.slice(0, 2), hash);
  }
}
