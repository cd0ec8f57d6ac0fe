import { join } from 'node:path';
import { type BlobHash, ConfigError } from '@starling/core';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { FileBlobStore } from './index.ts';

/** A store with room for `blobs` blobs of 100 bytes, and a time that a test moves. */
async function scene(blobs: number) {
  const directory = join(await temporaryDirectory(), 'blobs');
  const pinned = new Set<BlobHash>();
  const state = { bytesMax: 100 * blobs, now: Date.now() };
  const open = () =>
    FileBlobStore.open(directory, {
      bytesMax: () => state.bytesMax,
      pinned: () => pinned,
      now: () => state.now,
    });
  const store = await open();
  let next = 0;
  /** Puts another blob, a quarter of an hour later. */
  const put = (into = store) => {
    state.now += 900_000;
    return into.put(new Uint8Array(100).fill(next++));
  };
  const held = async (from = store) => {
    const out = new Set<BlobHash>();
    for await (const hash of from.list()) out.add(hash);
    return out;
  };
  return { store, open, state, pinned, put, held };
}

test('the blobs that were not used for longest go, and pinned ones stay', async () => {
  const { store, state, pinned, put, held } = await scene(3);
  const [a, b, c] = [await put(), await put(), await put()];
  pinned.add(a);
  state.now += 900_000;
  await store.get(b);
  const d = await put();
  expect(await held()).toEqual(new Set([a, b, d]));
  expect(await store.get(c)).toBeUndefined();
  expect(store.room()).toEqual({
    ...{ bytes: 300, bytesMax: 300, pinnedBytes: 100, blobs: 3, evicted: 1 },
  });
});

test('what was used last is known after a restart, drafts included', async () => {
  const { store, open, state, put, held } = await scene(3);
  const [a, b] = [await put(), await put()];
  const draft = await store.draft('0'.repeat(64) as BlobHash, 100);
  await draft.close();
  state.now += 900_000;
  await store.read(a, 0, 10);
  const again = await open();
  expect(again.room().bytes).toBe(300);
  // Nothing but the first was used since it was written; which of the others goes first is the
  // file system's clock's business.
  const [c, d] = [await put(again), await put(again)];
  expect(again.room().evicted).toBe(2);
  expect(await held(again)).toEqual(new Set([a, c, d]));
  expect(await again.get(b)).toBeUndefined();
});

test('when nothing may go, what comes is refused with the key to change', async () => {
  const { store, state, pinned, put, held } = await scene(2);
  const kept = [await put(), await put()];
  for (const hash of kept) pinned.add(hash);
  await expect(put()).rejects.toThrow(ConfigError);
  await expect(put()).rejects.toThrow('resources.disk');
  await expect(store.draft('1'.repeat(64) as BlobHash, 1)).rejects.toThrow('may go');
  expect(await held()).toEqual(new Set(kept));
  state.bytesMax = 300;
  await put();
  expect((await held()).size).toBe(3);
});

test('a lowered cap is kept after a trim; a blob on its way is not thrown away', async () => {
  const { store, state, put, held } = await scene(5);
  const draft = await store.draft('2'.repeat(64) as BlobHash, 100);
  const [, , c] = [await put(), await put(), await put()];
  state.bytesMax = 200;
  await store.trim();
  expect(await held()).toEqual(new Set([c]));
  await draft.write(0, new Uint8Array(100));
  expect(await draft.finish()).toBe(false);
  await draft.close();
  expect(store.room().bytes).toBe(200);
});
