import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { errorMessage, ProtocolError } from '@starling/core';
import { corrupt } from './source.ts';

/** Bytes that are read in ranges: a file of this machine or an object of a store. */
export interface RangeFile {
  /** Names the file in errors. */
  readonly name: string;
  readonly byteLength: number;
  /** The bytes `start` … `end − 1`; the range lies inside the file. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface StoredFile {
  /** Relative to the store's root, with slashes. */
  readonly path: string;
  readonly bytes: number;
}

/** The files below a folder, or a single file. */
export interface FileStore {
  /** As a person wrote it: a path, or `s3://bucket/prefix`. */
  readonly root: string;
  /** All files, sorted by path. */
  list(): Promise<readonly StoredFile[]>;
  open(path: string): Promise<RangeFile>;
  /** Closes what is still open, too: who fails in the middle leaves nothing behind. */
  close(): Promise<void>;
}

/** Binary order, the same on every machine. */
export const byPath = (a: { path: string }, b: { path: string }): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0;

/** @throws ProtocolError `dataset-missing` */
export async function openLocalStore(root: string): Promise<FileStore> {
  const found = await stat(root).catch((error) => {
    throw new ProtocolError('dataset-missing', `${root}: ${errorMessage(error)}`);
  });
  const isFolder = found.isDirectory();
  // A pipe or a device would be read for ever.
  if (!isFolder && !found.isFile()) {
    throw new ProtocolError('dataset-missing', `${root} is neither a file nor a folder`);
  }
  const folder = isFolder ? root : dirname(root);
  const opened: FileHandle[] = [];
  return {
    root,
    list: async () => (isFolder ? listFolder(root) : [{ path: basename(root), bytes: found.size }]),
    open: (path) => openLocalFile(join(folder, path), opened),
    close: async () => {
      await Promise.all(opened.splice(0).map((handle) => handle.close()));
    },
  };
}

async function listFolder(root: string): Promise<readonly StoredFile[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files: StoredFile[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const parts = relative(root, path).split(sep);
    // Hidden files are other tools' own: `.DS_Store`, `.cache`.
    if (parts.some((part) => part.startsWith('.'))) continue;
    // A link may point to a file: what counts is what it leads to.
    const found = await stat(path);
    if (found.isFile()) files.push({ path: parts.join('/'), bytes: found.size });
  }
  return files.sort(byPath);
}

async function openLocalFile(path: string, opened: FileHandle[]): Promise<RangeFile> {
  const handle = await open(path).catch((error) => {
    throw new ProtocolError('dataset-missing', `${path}: ${errorMessage(error)}`);
  });
  opened.push(handle);
  const { size } = await handle.stat();
  return {
    name: path,
    byteLength: size,
    read: (start, end) => readRange(handle, path, start, end),
    close: async () => {
      const at = opened.indexOf(handle);
      if (at >= 0) opened.splice(at, 1);
      await handle.close();
    },
  };
}

async function readRange(handle: FileHandle, path: string, start: number, end: number) {
  const bytes = new Uint8Array(end - start);
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) throw corrupt(path, `ends before byte ${end}`, 'It shrank while read');
    filled += bytesRead;
  }
  return bytes;
}

const CHUNK_BYTES = 1024 * 1024;

/** The bytes from `start` on, in chunks of at most a MiB. */
export async function* chunksOf(
  file: RangeFile,
  start = 0,
  end = file.byteLength,
): AsyncGenerator<Uint8Array> {
  for (let from = start; from < end; from += CHUNK_BYTES) {
    yield file.read(from, Math.min(from + CHUNK_BYTES, end));
  }
}
