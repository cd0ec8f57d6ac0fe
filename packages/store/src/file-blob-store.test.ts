import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobHash, InvariantError, utf8 } from '@starling/core';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { FileBlobStore } from './index.ts';

test('a corrupt blob is moved aside, counts as not held, and can be put again', async () => {
  const directory = await temporaryDirectory();
  const store = await FileBlobStore.open(directory);
  const bytes = utf8('precious');
  const hash = await store.put(bytes);
  await writeFile(join(directory, hash.slice(0, 2), hash), 'precioux');

  expect(await store.get(hash)).toBeUndefined();
  expect(await store.has(hash)).toBe(false);
  expect(await readdir(join(directory, 'corrupt'))).toEqual([hash]);

  await store.put(bytes);
  expect(await store.get(hash)).toEqual(bytes);
});

test('putting over a torn file repairs it without a read in between', async () => {
  const directory = await temporaryDirectory();
  const store = await FileBlobStore.open(directory);
  const bytes = utf8('precious');
  const hash = await store.put(bytes);
  await truncate(join(directory, hash.slice(0, 2), hash), 3);
  await store.put(bytes);
  expect(await store.get(hash)).toEqual(bytes);
});

test('half-written files of an earlier run are removed, blobs stay', async () => {
  const directory = await temporaryDirectory();
  const hash = await (await FileBlobStore.open(directory)).put(utf8('whole'));
  await writeFile(join(directory, 'tmp', hash), 'who');
  const reopened = await FileBlobStore.open(directory);
  expect(await readdir(join(directory, 'tmp'))).toEqual([]);
  expect(await reopened.get(hash)).toEqual(utf8('whole'));
});

test('a forged hash never becomes a path', async () => {
  const store = await FileBlobStore.open(await temporaryDirectory());
  await expect(store.get('../../etc/passwd' as BlobHash)).rejects.toThrow(InvariantError);
});
