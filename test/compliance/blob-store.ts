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
