import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '@starling/core';
import { isObjectUrl, openTarget, type Target, writeWhole } from '@starling/storage';
import { ProgressLine } from './progress.ts';

/**
 * @param key what the file is, for the message
 * @throws ConfigError naming the file and the cause
 */
export async function readInput(key: string, path: string): Promise<Uint8Array> {
  if (isObjectUrl(path)) {
    const bytes = await withObject(key, path, (target, name) => target.get(name));
    if (bytes !== undefined) return bytes;
    const hint = 'Look at bucket and name, for instance with `aws s3 ls`';
    throw new ConfigError(key, `cannot read ${path} (no such object)`, hint);
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw new ConfigError(key, `cannot read ${path} (${reasonOf(error)})`, 'Check the path');
  }
}

/** What is read, or undefined where there is no such file or object. */
export const readIfThere = async (key: string, path: string): Promise<Uint8Array | undefined> =>
  (await inputExists(key, path)) ? readInput(key, path) : undefined;

/** Whether there is such a file or object. */
export async function inputExists(key: string, path: string): Promise<boolean> {
  if (isObjectUrl(path)) return withObject(key, path, (target, name) => target.has(name));
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/**
 * Writes all of it or, after a crash too, nothing. An object that is there with the same bytes is
 * not sent again, and an upload that broke off goes on.
 * @throws ConfigError naming the file and the cause
 */
export async function writeOutput(path: string, bytes: Uint8Array): Promise<void> {
  if (isObjectUrl(path)) {
    const line = new ProgressLine(`sending ${path}`);
    const onProgress = (done: number, total: number) => line.update(done, total);
    await withObject('output', path, (target, name) =>
      target.put(name, bytes, { onProgress }),
    ).finally(() => line.end());
    return;
  }
  try {
    await writeWhole(path, bytes);
  } catch (error) {
    const hint = 'Choose another file with -o';
    throw new ConfigError('output', `cannot write ${path} (${reasonOf(error)})`, hint);
  }
}

/** Makes a folder for outputs; an object store needs none. */
export async function makeOutputFolder(path: string): Promise<void> {
  if (!isObjectUrl(path)) await mkdir(path, { recursive: true });
}

/** A file of a folder, here or in an object store. */
export const fileIn = (folder: string, name: string): string =>
  isObjectUrl(folder) ? `${folder.replace(/\/+$/, '')}/${name}` : join(folder, name);

/** What a file names by a path that counts from the folder that it is in itself. */
export function besideFile(file: string, named: string): string {
  if (isObjectUrl(named)) return named;
  if (!isObjectUrl(file)) return resolve(dirname(file), named);
  return fileIn(file.slice(0, file.lastIndexOf('/')), named.replace(/^\.\//, ''));
}

async function withObject<T>(
  key: string,
  url: string,
  use: (target: Target, name: string) => Promise<T>,
): Promise<T> {
  const [, folder, name] = /^(s3:\/\/[^/]+(?:\/.*)?)\/([^/]+)$/.exec(url) ?? [];
  if (folder === undefined || name === undefined) {
    throw new ConfigError(key, `${url} names no object`, 'Write it as s3://bucket/name');
  }
  const target = await openTarget(key, folder);
  try {
    return await use(target, name);
  } finally {
    await target.close();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
};

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}
