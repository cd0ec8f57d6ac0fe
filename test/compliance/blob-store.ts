import { type BlobHash, type BlobStore, equalBytes, utf8 } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  close(): Promise<void>;
}

/** What every `BlobStore` must do. */
export function runBlobStoreCompliance(
  name: string,
  open: () => Promise<BlobStoreUnderTest>,
): void {
  describe(`blob store compliance: ${name}`, () => {
    let subject: BlobStoreUnderTest;
    let store: BlobStore;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(() => subject.close());

    test('a blob is named by its SHA-256 and read back unchanged', async () => {
      for (const length of [0, 1, 1000, 1_000_000]) {
        const bytes = new Uint8Array(length).map((_, i) => i * 31);
        const hash = await store.put(bytes);
        expect(hash).toBe(hashHex(bytes));
        expect(equalBytes((await store.get(hash))!, bytes)).toBe(true);
        expect(await store.has(hash)).toBe(true);
      }
    });

    test('what was never put is not held', async () => {
      const hash = hashHex(utf8('nobody has this')) as BlobHash;
      expect(await store.get(hash)).toBeUndefined();
      expect(await store.has(hash)).toBe(false);
      await store.delete(hash);
    });

    test('putting twice, even at once, keeps one blob', async () => {
      const bytes = utf8('twice');
      const hashes = await Promise.all([store.put(bytes), store.put(bytes), store.put(bytes)]);
      expect(new Set(hashes).size).toBe(1);
      expect(await collect(store.list())).toEqual([hashes[0]]);
    });

    test('a deleted blob is gone, the others stay', async () => {
      const [kept, dropped] = [await store.put(utf8('kept')), await store.put(utf8('dropped'))];
      await store.delete(dropped);
      expect(await store.get(dropped)).toBeUndefined();
      expect(await store.get(kept)).toEqual(utf8('kept'));
      expect(await collect(store.list())).toEqual([kept]);
    });

    test('the caller and the store do not share memory', async () => {
      const bytes = utf8('mine');
      const hash = await store.put(bytes);
      bytes.fill(0);
      (await store.get(hash))!.fill(1);
      expect(await store.get(hash)).toEqual(utf8('mine'));
    });

    test('a blob is read in parts, and never beyond its end', async () => {
      const bytes = new Uint8Array(1000).map((_, i) => i);
      const hash = await store.put(bytes);
      expect(await store.size(hash)).toBe(1000);
      expect(await store.read(hash, 990, 10)).toEqual(bytes.slice(990));
      expect(await store.read(hash, 990, 11)).toBeUndefined();
      const other = hashHex(utf8('nobody has this')) as BlobHash;
      expect(await store.size(other)).toBeUndefined();
      expect(await store.read(other, 0, 1)).toBeUndefined();
    });

    test('a draft becomes a blob when it is whole and right, and not before', async () => {
      const bytes = new Uint8Array(3000).map((_, i) => i * 7);
      const hash = hashHex(bytes) as BlobHash;
      const draft = await store.draft(hash, bytes.length);
      expect(draft.isNew).toBe(true);
      await draft.write(2000, bytes.subarray(2000));
      await draft.write(0, bytes.subarray(0, 1000));
      expect(await draft.finish()).toBe(false);
      expect(await store.has(hash)).toBe(false);
      expect(await draft.read(900, 200)).toEqual(
        new Uint8Array(200).map((_, i) => (i < 100 ? bytes[900 + i]! : 0)),
      );
      await draft.write(1000, bytes.subarray(1000, 2000));
      expect(await draft.finish()).toBe(true);
      expect(await store.get(hash)).toEqual(bytes);
    });

    test('a draft that was let go is there again, also at another size', async () => {
      const bytes = new Uint8Array(500).map((_, i) => i);
      const hash = hashHex(bytes) as BlobHash;
      const first = await store.draft(hash, 900);
      await first.write(0, bytes.subarray(0, 300));
      await first.close();
      const second = await store.draft(hash, bytes.length);
      expect(second.isNew).toBe(false);
      expect(await second.read(0, 300)).toEqual(bytes.subarray(0, 300));
      await second.write(300, bytes.subarray(300));
      expect(await second.finish()).toBe(true);
      expect(await store.get(hash)).toEqual(bytes);
      expect(await collect(store.list())).toEqual([hash]);
    });

    test('list gives every hash once', async () => {
      const texts = Array.from({ length: 40 }, (_, i) => utf8(`blob ${i}`));
      const hashes = await Promise.all(texts.map((bytes) => store.put(bytes)));
      expect((await collect(store.list())).sort()).toEqual([...hashes].sort());
    });
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}
