import type { JobId, Random } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { MemoryBlobStore, MemoryJournal } from '@starling/store';
import { expect, test } from 'vitest';
import { seededRandom } from '../../sim/src/prng.ts';
import { OwnVectors } from './own-vectors.ts';

const [one, two] = ['1'.repeat(64) as JobId, '2'.repeat(64) as JobId];
const values = Float32Array.of(0.5, -1, Math.fround(1 / 3));

function scene() {
  const disk = { journal: new MemoryJournal(), blobs: new MemoryBlobStore() };
  const random: Random = seededRandom(1, 0, 0);
  const open = async (job = one) => {
    const own = new OwnVectors({ ...disk, random, job });
    await own.load();
    return own;
  };
  const held = async () => {
    const out: string[] = [];
    for await (const hash of disk.blobs.list()) out.push(hash);
    return out;
  };
  return { ...disk, open, held };
}

test('vectors outlast a restart, each in its own job', async () => {
  const { open } = scene();
  const before = await open();
  await before.put('a/1', values);
  const after = await open();
  expect(after.keys()).toEqual(['a/1']);
  expect(await after.get('a/1')).toEqual(values);
  expect(await after.get('a/2')).toBeUndefined();
  expect((await open(two)).keys()).toEqual([]);
});

test('a new one takes the place of the old, and nothing of either stays when it goes', async () => {
  const { open, held } = scene();
  const own = await open();
  await own.put('a/1', values);
  await own.put('a/1', new Float32Array(2));
  expect(await own.get('a/1')).toEqual(new Float32Array(2));
  expect(await held()).toEqual(own.hashes());
  await own.delete('a/1');
  expect(await held()).toEqual([]);
  expect((await open()).keys()).toEqual([]);
});

test('one that the disk has lost is as good as none', async () => {
  const { open, blobs } = scene();
  const own = await open();
  await own.put('a/1', values);
  await blobs.delete(own.hashes()[0]!);
  expect(await own.get('a/1')).toBeUndefined();
});

test('nobody can name a blob by what is in it [R-56]', async () => {
  const { open } = scene();
  const own = await open();
  await own.put('a/1', values);
  await own.put('a/2', values);
  const [first, second] = own.hashes();
  expect(first).not.toBe(second);
  expect([first, second]).not.toContain(hashHex(new Uint8Array(values.buffer)));
});
