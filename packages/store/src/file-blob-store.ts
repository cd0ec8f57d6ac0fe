import { access, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, type BlobDraft, type BlobHash, type BlobStore, isHash } from '@starling/core';
import { BlobRoom, type RoomOptions, type RoomStatus } from './blob-room.ts';
import { FileDraft } from './file-draft.ts';
import { syncDirectory, unlessMissing, writeDurably } from './files.ts';
import { blobHashOf } from './hash.ts';

const SHARD = /^[0-9a-f]{2}$/;

/**
 * One file per blob, `<first two digits>/<hash>`, written to `tmp/` and renamed. A file whose bytes
 * no longer give its name is moved to `corrupt/` (for whoever looks into the disk) and counts as
 * not held, so that it is fetched again. Blobs that come in pieces grow in `drafts/`, and stay
 * there when the process ends. A file's time is its last use: with a cap, the oldest go. One
 * process owns the directory.
 */
export class FileBlobStore implements BlobStore {
  readonly #directory: string;
  readonly #room: BlobRoom;
  /** A second `put` of the same bytes waits for the first: it must not resolve before the fsync. */
  readonly #writing = new Map<BlobHash, Promise<void>>();

  private constructor(directory: string, room: BlobRoom) {
    this.#directory = directory;
    this.#room = room;
  }

  /** Opens or creates the store; half-written files of an earlier run are removed. */
  static async open(directory: string, options: RoomOptions = {}): Promise<FileBlobStore> {
    await rm(join(directory, 'tmp'), { recursive: true, force: true });
    for (const each of ['tmp', 'corrupt', 'drafts']) {
      await mkdir(join(directory, each), { recursive: true, mode: 0o700 });
    }
    const store = new FileBlobStore(directory, new BlobRoom(options));
    await store.#survey();
    return store;
  }

  /** What the blobs take of the disk. */
  room(): RoomStatus {
    return this.#room.status();
  }

  /** Lets go of blobs until the cap is kept again, as far as pinned ones let it. */
  async trim(): Promise<void> {
    for (const hash of this.#room.excess()) await this.#remove(hash);
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
    await this.#makeRoom(hash, bytes.length);
    try {
      await this.#makeShard(hash);
      await writeDurably(this.#path(hash), join(this.#directory, 'tmp', hash), bytes);
      this.#room.set(hash, bytes.length, this.#room.now());
    } catch (error) {
      this.#room.delete(hash);
      throw error;
    }
  }

  async get(hash: BlobHash): Promise<Uint8Array | undefined> {
    const file = await unlessMissing(readFile(this.#path(hash)));
    if (file === undefined) return undefined;
    const bytes = new Uint8Array(file.buffer, file.byteOffset, file.length);
    if ((await blobHashOf(bytes)) === hash) {
      await this.#used(hash);
      return bytes;
    }
    // Two readers may both find the damage; the second one's rename finds nothing, which is fine.
    const aside = join(this.#directory, 'corrupt', hash);
    await unlessMissing(rename(this.#path(hash), aside));
    this.#room.delete(hash);
    return undefined;
  }

  /** Whether a file of that name is there; only `get` proves the bytes. */
  async has(hash: BlobHash): Promise<boolean> {
    const there = await unlessMissing(access(this.#path(hash)).then(() => true));
    return there ?? false;
  }

  async delete(hash: BlobHash): Promise<void> {
    this.#room.delete(hash);
    await this.#remove(hash);
  }

  async *list(): AsyncIterable<BlobHash> {
    const shards = (await readdir(this.#directory)).filter((name) => SHARD.test(name)).sort();
    for (const shard of shards) {
      const names = (await readdir(join(this.#directory, shard))).filter(isHash).sort();
      for (const name of names) yield name as BlobHash;
    }
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    return (await unlessMissing(stat(this.#path(hash))))?.size;
  }

  async read(hash: BlobHash, at: number, length: number): Promise<Uint8Array | undefined> {
    const file = await unlessMissing(open(this.#path(hash), 'r'));
    if (file === undefined) return undefined;
    try {
      const bytes = new Uint8Array(length);
      const { bytesRead } = await file.read(bytes, 0, length, at);
      await this.#used(hash);
      return bytesRead === length ? bytes : undefined;
    } finally {
      await file.close();
    }
  }

  async draft(hash: BlobHash, size: number): Promise<BlobDraft> {
    await this.#makeRoom(hash, size);
    try {
      await this.#makeShard(hash);
      return await FileDraft.open({
        ...{ hash, size, path: this.#draftPath(hash), target: this.#path(hash) },
        onEnd: () => this.#room.set(hash, size, this.#room.now()),
      });
    } catch (error) {
      this.#room.delete(hash);
      throw error;
    }
  }

  /** Finds out what is here, and when it was used last. */
  async #survey(): Promise<void> {
    const note = async (hash: BlobHash, path: string) => {
      const file = await unlessMissing(stat(path));
      if (file !== undefined) this.#room.set(hash, file.size, file.mtimeMs);
    };
    for (const name of await readdir(join(this.#directory, 'drafts'))) {
      if (isHash(name)) await note(name as BlobHash, this.#draftPath(name as BlobHash));
    }
    for await (const hash of this.list()) await note(hash, this.#path(hash));
  }

  async #makeRoom(hash: BlobHash, bytes: number): Promise<void> {
    for (const victim of this.#room.take(hash, bytes)) await this.#remove(victim);
  }

  async #makeShard(hash: BlobHash): Promise<void> {
    const shard = join(this.#directory, hash.slice(0, 2));
    const first = await mkdir(shard, { recursive: true, mode: 0o700 });
    if (first !== undefined) await syncDirectory(this.#directory);
  }

  async #remove(hash: BlobHash): Promise<void> {
    await rm(this.#path(hash), { force: true });
    await rm(this.#draftPath(hash), { force: true });
  }

  async #used(hash: BlobHash): Promise<void> {
    if (!this.#room.use(hash)) return;
    const now = this.#room.now() / 1000;
    await unlessMissing(utimes(this.#path(hash), now, now));
  }

  #path(hash: BlobHash): string {
    return join(this.#directory, checked(hash).slice(0, 2), hash);
  }

  #draftPath(hash: BlobHash): string {
    return join(this.#directory, 'drafts', checked(hash));
  }
}

/** The name becomes a path: a forged brand must not climb out of the directory. */
function checked(hash: BlobHash): BlobHash {
  assert(isHash(hash), `not a blob hash: ${hash.slice(0, 80)}`);
  return hash;
}
