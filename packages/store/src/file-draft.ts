import { createHash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BlobDraft, BlobHash } from '@starling/core';
import { errorCode, syncDirectory } from './files.ts';

/** Read and hashed in one turn of the event loop: well below a millisecond. */
const STRETCH_BYTES = 1024 * 1024;

export interface DraftPlace {
  readonly hash: BlobHash;
  readonly size: number;
  /** Where the draft lies, and where the blob is to lie, on one file system. */
  readonly path: string;
  readonly target: string;
  /** Called once, when the draft is closed or has become a blob. */
  readonly onEnd: (becameBlob: boolean) => void;
}

/**
 * A blob on its way: one file of the blob's length, with holes. Nothing notes which pieces came,
 * and no write is flushed: whoever resumes it hashes what is there, which a note could not replace.
 */
export class FileDraft implements BlobDraft {
  readonly isNew: boolean;
  readonly #file: FileHandle;
  readonly #place: DraftPlace;
  #ended = false;

  private constructor(file: FileHandle, place: DraftPlace, isNew: boolean) {
    this.#file = file;
    this.#place = place;
    this.isNew = isNew;
  }

  static async open(place: DraftPlace): Promise<FileDraft> {
    const { file, isNew } = await openOrCreate(place.path);
    try {
      await file.truncate(place.size);
      return new FileDraft(file, place, isNew);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#file.read(bytes, 0, length, at);
    return bytes;
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const rest = bytes.length - done;
      const { bytesWritten } = await this.#file.write(bytes, done, rest, at + done);
      done += bytesWritten;
    }
  }

  async finish(): Promise<boolean> {
    const { hash, size, path, target } = this.#place;
    const digest = createHash('sha256');
    for (let at = 0; at < size; at += STRETCH_BYTES) {
      digest.update(await this.read(at, Math.min(STRETCH_BYTES, size - at)));
    }
    if (digest.digest('hex') !== hash) return false;
    await this.#file.sync();
    await rename(path, target);
    await syncDirectory(dirname(target));
    await this.#end(true);
    return true;
  }

  close(): Promise<void> {
    return this.#end(false);
  }

  async #end(becameBlob: boolean): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#file.close();
    this.#place.onEnd(becameBlob);
  }
}

async function openOrCreate(path: string): Promise<{ file: FileHandle; isNew: boolean }> {
  try {
    return { file: await open(path, 'r+'), isNew: false };
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return { file: await open(path, 'w+', 0o600), isNew: true };
  }
}
