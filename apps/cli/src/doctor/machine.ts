import { constants, readFileSync } from 'node:fs';
import { access, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf } from '../files.ts';

export interface DirectoryState {
  /** Where files would go: the directory, or the nearest one above that there is. */
  readonly at: string;
  readonly exists: boolean;
  /** Why nothing can be written there. */
  readonly refused: string | undefined;
  /** Permission bits of the directory itself; undefined while it does not exist. */
  readonly mode: number | undefined;
  readonly freeBytes: number;
  /** Newest change of a file inside, in milliseconds of the wall clock. */
  readonly newest: number | undefined;
}

/** What the checks see of this machine; tests show them others. */
export interface Machine {
  readonly platform: string;
  readonly nodeVersion: string;
  /** Milliseconds of the wall clock. */
  now(): number;
  directory(path: string): Promise<DirectoryState>;
  /** Bytes that this process may still take. */
  availableMemory(): number;
  /** Most files that this process may have open; undefined where it cannot be read. */
  openFilesMax(): number | undefined;
}

export const thisMachine: Machine = {
  platform: process.platform,
  nodeVersion: process.versions.node,
  now: () => Date.now(),
  directory,
  availableMemory: () => process.availableMemory(),
  openFilesMax,
};

function openFilesMax(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const found = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    return found === 'unlimited' ? Number.POSITIVE_INFINITY : (found && Number(found)) || undefined;
  } catch {
    return undefined;
  }
}

async function directory(path: string): Promise<DirectoryState> {
  const own = await stat(path).catch(() => undefined);
  const at = own === undefined ? await nearest(dirname(path)) : path;
  const { bavail, bsize } = await statfs(at);
  return {
    at,
    exists: own !== undefined,
    refused: await refusal(at, own?.isDirectory() ?? true),
    mode: own && own.mode & 0o777,
    freeBytes: bavail * bsize,
    newest: own?.isDirectory() ? await newestIn(path) : undefined,
  };
}

async function nearest(path: string): Promise<string> {
  const there = await stat(path).catch(() => undefined);
  return there !== undefined || dirname(path) === path ? path : nearest(dirname(path));
}

/** Found out by writing: permission bits do not tell of read-only mounts and full disks. */
async function refusal(at: string, isDirectory: boolean): Promise<string | undefined> {
  if (!isDirectory) return 'a file is in the way';
  const probe = join(at, `.starling-doctor.${process.pid}`);
  try {
    await access(at, constants.W_OK);
    await writeFile(probe, 'probe', { flag: 'wx' });
    await rm(probe);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

async function newestIn(path: string): Promise<number | undefined> {
  const names = await readdir(path).catch(() => []);
  const times = await Promise.all(
    names.map((name) =>
      stat(join(path, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return times.length === 0 ? undefined : Math.max(...times);
}
