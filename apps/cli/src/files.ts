import { readFile, writeFile } from 'node:fs/promises';
import { ConfigError } from '@starling/core';

/**
 * @param key what the file is, for the message
 * @throws ConfigError naming the file and the cause
 */
export async function readInput(key: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new ConfigError(key, `cannot read ${path} (${reasonOf(error)})`, 'Check the path');
  }
}

/** @throws ConfigError naming the file and the cause */
export async function writeOutput(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    const hint = 'Choose another file with -o';
    throw new ConfigError('output', `cannot write ${path} (${reasonOf(error)})`, hint);
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
