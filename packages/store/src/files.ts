import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes the names inside `directory` durable; a rename alone may be lost in a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces `path` by `bytes` so that after a crash either the old or the new file is there, whole.
 * `temporary` must lie on the same file system.
 */
export async function writeDurably(
  path: string,
  temporary: string,
  bytes: Uint8Array,
  mode = 0o600,
): Promise<void> {
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** The `code` of a failed system call, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** What `read` gives, or undefined when the file does not exist. */
export async function unlessMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
