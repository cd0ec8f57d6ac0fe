import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type S3Server, startS3Server } from '../../../../test/helpers/s3-server.ts';
import { openS3Store } from './s3-store.ts';

const MIB = 2 ** 20;

describe('a store behind the S3 protocol', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server('reader');
    const bytes = Uint8Array.from({ length: 9 * MIB }, (_, i) => (i * 31) % 251);
    server.objects.set('lake/deep/large.bin', bytes);
    server.objects.set('lake/deep/empty.txt', new Uint8Array());
    for (const name of ['a b.txt', 'c.txt', 'd/ß.txt', '.hidden', 'folder/']) {
      server.objects.set(`lake/deep/${name}`, Buffer.from(name));
    }
    server.objects.set('lake/deeper.txt', Buffer.from('not below deep'));
  });
  beforeEach(() => {
    vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'reader');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    server.mishaps.length = 0;
    server.requests.length = 0;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.close();
  });

  test('lists what lies below a prefix, page by page, sorted', async () => {
    for (const root of ['s3://lake/deep', 's3://lake/deep/']) {
      const store = await openS3Store(root);
      expect((await store.list()).map(({ path }) => path)).toEqual([
        ...['a b.txt', 'c.txt', 'd/ß.txt', 'empty.txt', 'large.bin'],
      ]);
      await store.close();
    }
    const single = await openS3Store('s3://lake/deep/c.txt');
    expect(await single.list()).toEqual([{ path: 'c.txt', bytes: 5 }]);
    await single.close();
  });

  test('reads ranges, and neighbours of what was read without asking again', async () => {
    const store = await openS3Store('s3://lake/deep');
    const file = await store.open('large.bin');
    const all = server.objects.get('lake/deep/large.bin')!;
    for (const [start, end] of [
      [5, 9],
      [9, 3 * MIB],
      [100, 100],
      [8 * MIB, 9 * MIB],
      [0, 9 * MIB],
      [9 * MIB - 1, 9 * MIB],
    ] as const) {
      expect(Buffer.compare(await file.read(start, end), all.slice(start, end))).toBe(0);
    }
    const gets = server.requests.filter((line) => line.includes('large.bin'));
    expect(gets).toHaveLength(3);
    const odd = await store.open('d/ß.txt');
    expect(Buffer.from(await odd.read(0, odd.byteLength)).toString()).toBe('d/ß.txt');
    await store.close();
  });

  test('tries again where the store is overloaded or the connection breaks', async () => {
    server.mishaps.push('overloaded', 'broken connection');
    const store = await openS3Store('s3://lake/deep');
    const file = await store.open('large.bin');
    server.mishaps.push('broken body', 'overloaded', 'broken connection');
    const all = server.objects.get('lake/deep/large.bin')!;
    expect(Buffer.compare(await file.read(7, 2000), all.slice(7, 2000))).toBe(0);
    server.mishaps.push(...new Array(6).fill('overloaded'));
    await expect(file.read(6 * MIB, 6 * MIB + 1)).rejects.toThrow(
      /large\.bin: .*\(6 attempts\)\. Look at AWS_ENDPOINT_URL/,
    );
    await store.close();
  });

  test('says what is wrong, and what to do', async () => {
    const failing = (root: string) => expect(openS3Store(root)).rejects;
    await failing('s3:///x').toThrow('write it as s3://bucket/prefix');
    await failing('s3://lake/nothing').toThrow('holds no object. Look at bucket and prefix');
    await failing('s3://sea/deep').toThrow('NoSuchBucket. Look at the name of the bucket');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'stranger');
    await failing('s3://lake/deep').toThrow('InvalidAccessKeyId. Set AWS_ACCESS_KEY_ID');
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, '');
    for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE']) {
      vi.stubEnv(name, '/nowhere');
    }
    await failing('s3://lake/deep').toThrow('no credentials. Set AWS_ACCESS_KEY_ID');
  });

  test('an object that was replaced is no longer the data that were added', async () => {
    const store = await openS3Store('s3://lake/deep');
    const file = await store.open('c.txt');
    server.objects.set('lake/deep/c.txt', Buffer.from('other'));
    await expect(file.read(0, 5)).rejects.toThrow('the object has changed. Add the data set again');
    await store.close();
  });
});
