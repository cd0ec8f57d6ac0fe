import { toHex } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { expect, test } from 'vitest';
import { VectorStore } from './vectors.ts';

const bytes = new Uint8Array([1, 2, 3]);
const hash = sha256(bytes);

test('a round’s vectors go one release later: slower members may still ask for its sums', () => {
  const store = new VectorStore();
  store.putBytes('job/one/sum', bytes, hash);
  store.putWords('job/one/words', new Uint32Array(2));
  store.putWords('job/two/words', new Uint32Array(3));
  store.release('job', 'job/one/');
  expect(store.byHash(toHex(hash))).toBe(bytes);
  expect(store.words('job/one/words')).toHaveLength(2);
  store.release('job', 'job/two/');
  expect(store.byHash(toHex(hash))).toBeUndefined();
  expect(store.bytes('job/one/sum')).toBeUndefined();
  expect(() => store.words('job/one/words')).toThrow('no vector job/one/words');
  expect(store.words('job/two/words')).toHaveLength(3);
  expect(store.size).toBe(12);
});

test('the end of another job’s round forgets nothing of this job', () => {
  const store = new VectorStore();
  store.putBytes('mine/1/sum', bytes, hash);
  store.release('mine', 'mine/1/');
  store.release('other', 'other/1/');
  store.release('other', 'other/2/');
  expect(store.byHash(toHex(hash))).toBe(bytes);
  store.release('mine', 'mine/2/');
  expect(store.size).toBe(0);
});

test('one update is kept of those under a prefix', () => {
  const store = new VectorStore();
  for (const name of ['x/1', 'x/2', 'y/1']) store.putWords(name, new Uint32Array(1));
  store.keepOnly('x/', 'x/2');
  expect(() => store.words('x/1')).toThrow();
  expect(store.words('x/2')).toHaveLength(1);
  expect(store.words('y/1')).toHaveLength(1);
});

test('large bytes come to lie in shared memory, and are found there', () => {
  const store = new VectorStore();
  const large = new Uint8Array(100_000).fill(5);
  store.putBytes('x/1', large, sha256(large));
  const held = store.bytes('x/1')!;
  expect(held).toEqual(large);
  expect(held.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(store.byHash(toHex(sha256(held)))).toBe(held);
  // What is shared already stays where it is.
  store.putBytes('x/2', held);
  expect(store.bytes('x/2')).toBe(held);
});
