import { lstat, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError, equalBytes, errorMessage } from '@starling/core';
import { codeOf, DRAFT, syncFolder, writeWhole } from './folder-files.ts';
import { nameIn } from './place.ts';
import type { PutOptions, PutOutcome, Target } from './target.ts';

/** A draft older than this is of a process that died: none writes one file for an hour. */
const DRAFT_MS_MAX = 3_600_000;

/** A folder, which may be a mounted share that others write to as well. */
export class FolderTarget implements Target {
  readonly name: string;
  readonly #key: string;

  constructor(key: string, folder: string) {
    this.name = folder;
    this.#key = key;
  }

  async put(name: string, bytes: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    const path = this.#path(name);
    return this.#doing(path, async () => {
      if (await hasBytes(path, bytes)) return 'unchanged';
      await this.#makeFolder(dirname(path));
      await writeWhole(path, bytes);
      options.onProgress?.(bytes.length, bytes.length);
      return 'written';
    });
  }

  async holds(name: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.#path(name);
    return this.#doing(path, () => hasBytes(path, bytes));
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    return this.#doing(path, () => unlessMissing(readFile(path)));
  }

  async has(name: string): Promise<boolean> {
    const path = this.#path(name);
    return this.#doing(path, async () => (await unlessMissing(lstat(path))) !== undefined);
  }

  async list(folder: string): Promise<readonly string[]> {
    const path = this.#path(folder);
    return this.#doing(path, async () => {
      const entries = (await unlessMissing(readdir(path, { withFileTypes: true }))) ?? [];
      const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
      return names.filter((each) => !each.startsWith('.')).sort();
    });
  }

  async delete(name: string): Promise<void> {
    const path = this.#path(name);
    const folder = dirname(path);
    await this.#doing(path, async () => {
      await rm(path, { force: true });
      const entries = (await unlessMissing(readdir(folder))) ?? [];
      for (const entry of entries) await removeOldDraft(join(folder, entry), entry);
      if (entries.length > 0) await syncFolder(folder);
    });
  }

  async close(): Promise<void> {}

  #path(name: string): string {
    return join(this.name, nameIn(this.#key, name));
  }

  /**
   * Below the target only: what is not mounted must not be filled in its place, on the disk of the
   * machine.
   */
  async #makeFolder(folder: string): Promise<void> {
    const root = await unlessMissing(stat(this.name));
    if (root === undefined) {
      const hint = 'Make the folder, or mount what it is on';
      throw new ConfigError(this.#key, `there is no folder ${this.name}`, hint);
    }
    const first = await mkdir(folder, { recursive: true });
    if (first !== undefined) await syncFolder(dirname(first));
  }

  async #doing<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const [what, hint] = FAULTS[codeOf(error)] ?? [errorMessage(error), 'Look at the folder'];
      throw new ConfigError(this.#key, `${path}: ${what}`, hint);
    }
  }
}

const FAULTS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  EACCES: ['permission denied', 'Give the user of this process the right to write there'],
  EPERM: ['permission denied', 'Give the user of this process the right to write there'],
  ENOSPC: ['the disk is full', 'Make room there'],
  EDQUOT: ['the quota is used up', 'Make room there, or ask for a larger quota'],
  EROFS: ['the file system is read-only', 'Mount it for writing'],
  ENOTDIR: ['a part of the path is no folder', 'Name a folder'],
  EIO: ['the file system failed', 'Look at the mount and at its servers'],
  ESTALE: ['the share is gone', 'Mount it again'],
  ENOTCONN: ['the share has lost its servers', 'Look at them, and mount it again'],
};

async function hasBytes(path: string, bytes: Uint8Array): Promise<boolean> {
  const there = await unlessMissing(lstat(path));
  if (there === undefined || !there.isFile() || there.size !== bytes.length) return false;
  return equalBytes(await readFile(path), bytes);
}

async function removeOldDraft(path: string, name: string): Promise<void> {
  if (!DRAFT.test(name)) return;
  const there = await unlessMissing(lstat(path));
  if (there === undefined || Date.now() - there.mtimeMs < DRAFT_MS_MAX) return;
  await rm(path, { force: true });
}

async function unlessMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
