import { randomBytes } from 'node:crypto';
import { lstat, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How a file that is being written is called: no reader takes it for one that is whole. */
export const DRAFT = /^\.(.+)\.[0-9a-f]{12}\.part$/;

const draftName = (name: string): string => `.${name}.${randomBytes(6).toString('hex')}.part`;

/**
 * Writes a file so that after a crash, and for other hosts at any time, either what was there
 * before or all of it is there. What is no plain file, such as a pipe, is written to as it is.
 * @throws the system's own error
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  // What a link points to is replaced, and the link stays.
  if (there?.isSymbolicLink()) {
    const target = await realpath(path).catch(() => undefined);
    return target === undefined ? writeFile(path, bytes) : writeWhole(target, bytes);
  }
  if (there !== undefined && !there.isFile()) return writeFile(path, bytes);
  const folder = dirname(path);
  const draft = join(folder, draftName(basename(path)));
  try {
    await writeSynced(draft, bytes, there === undefined ? 0o666 : there.mode & 0o777);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    // A file alone in a container, or in a folder of others, can be written but not replaced.
    if (there === undefined || !UNREPLACEABLE.has(codeOf(error))) throw error;
    return writeSynced(path, bytes, there.mode);
  }
  await syncFolder(folder);
}

const UNREPLACEABLE: ReadonlySet<string> = new Set(['EACCES', 'EBUSY', 'EPERM', 'EXDEV']);

export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const handle = await open(path, 'w', mode);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    // A full disk shows here at the latest on file systems that write late, NFS for one.
    await handle.close();
  }
}

/** Makes names inside a folder durable; where folders cannot be synced, they need not be. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP'].includes(codeOf(error))) throw error;
  } finally {
    await handle.close();
  }
}
