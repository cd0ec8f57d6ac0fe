import { copyFile, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@starling/core';
import { reasonOf } from '../files.ts';

/** Whether there is something at `path` already. */
export const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Writes a file for its owner only, whole or not at all; what was there before is kept beside it.
 * @param now milliseconds since 1970, for the name of the backup
 * @returns the path of the backup; null when nothing was there
 * @throws ConfigError naming the file and the cause
 */
export async function writeKeeping(
  path: string,
  text: string,
  now: number,
): Promise<string | null> {
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(':', '-');
  const backup = (await isThere(path)) ? `${path}.${stamp}.bak` : null;
  try {
    if (backup !== null) await copyFile(path, backup);
    await writeWhole(path, text);
  } catch (error) {
    const hint = 'Give this user the right to write there, or choose another --state';
    throw new ConfigError('init', `cannot write ${path} (${reasonOf(error)})`, hint);
  }
  return backup;
}

/** A crash in the middle leaves the old file. */
async function writeWhole(path: string, text: string): Promise<void> {
  const folder = await mkdtemp(`${path}.new-`);
  try {
    const file = await open(join(folder, 'file'), 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(join(folder, 'file'), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
