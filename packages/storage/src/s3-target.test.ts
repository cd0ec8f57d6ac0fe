import { hashHex } from '@starling/crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { patternBytes } from '../../../test/helpers/patterns.ts';
import { type Mishap, type S3Server, startS3Server } from '../../../test/helpers/s3-server.ts';
import { S3Target } from './s3-target.ts';
import { PART_BYTES } from './s3-upload.ts';

const QUICK = { attempts: 4, pauseMs: 1, pauseMsMax: 4 };
const THREE_PARTS = 2 * PART_BYTES + 9;

describe('objects of an S3-compatible store', () => {
  let server: S3Server;
  let target: S3Target;
  beforeAll(async () => {
    server = await startS3Server('writer');
    server.buckets.names.add('lake');
  });
  beforeEach(() => {
    vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'writer');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    server.mishaps.length = 0;
    server.mishapOf = () => undefined;
    server.objects.clear();
    server.buckets.uploads.clear();
    server.requests.length = 0;
    target = S3Target.open('output', 's3://lake/deep', QUICK);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.close();
  });

  const sent = () => server.requests.filter((line) => line.startsWith('PUT')).length;
  const stored = () => server.objects.get('lake/deep/a')!;
  const holds = (bytes: Uint8Array) => Buffer.compare(stored(), bytes) === 0;
  /** The mishap once for each of the first `times` requests of a kind. */
  const onFirst = (kind: RegExp, times: number, mishap: Mishap) => {
    let left = times;
    server.mishapOf = (line) => (kind.test(line) && left-- > 0 ? mishap : undefined);
  };

  test('what is small goes in one request, with its SHA-256 beside it', async () => {
    const bytes = patternBytes(PART_BYTES, 1);
    await target.put('a', bytes);
    expect([sent(), holds(bytes)]).toEqual([1, true]);
    const answer = server.buckets.answer({
      ...{ method: 'HEAD', bucket: 'lake', key: 'deep/a', query: new URLSearchParams() },
      ...{ headers: {}, body: new Uint8Array() },
    });
    expect(answer.headers).toMatchObject({ 'x-amz-meta-starling-sha256': hashHex(bytes) });
  });

  test.each<[Mishap]>([['overloaded'], ['broken connection'], ['lost answer'], ['wrong byte']])(
    '%s: it is tried again, and what is stored is whole',
    async (mishap) => {
      for (const [bytes, kind] of [
        [patternBytes(1000, 1), /^PUT/],
        [patternBytes(THREE_PARTS, 2), /^PUT|^POST.*uploadId/],
      ] as const) {
        onFirst(kind, 3, mishap);
        expect(await target.put('a', bytes)).toBe('written');
        expect(holds(bytes)).toBe(true);
      }
      expect(server.buckets.uploads.size).toBe(0);
    },
  );

  test('a body that breaks off is read again', async () => {
    const bytes = patternBytes(20 * 2 ** 20, 1);
    await target.put('a', bytes);
    onFirst(/^GET/, 2, 'broken body');
    expect(Buffer.compare((await target.get('a'))!, bytes)).toBe(0);
  });

  test('bytes that do not have the SHA-256 noted with them are refused', async () => {
    await target.put('a', patternBytes(1000, 1));
    stored()[500]! ^= 1;
    await expect(target.get('a')).rejects.toThrow(
      'output: s3://lake/deep/a: its bytes do not have the SHA-256 noted with it. It is damaged',
    );
  });

  test('an upload that the network broke off goes on when it is tried again', async () => {
    const bytes = patternBytes(4 * PART_BYTES + 5, 1);
    server.mishapOf = (line) => (/partNumber=[45]/.test(line) ? 'broken connection' : undefined);
    await expect(target.put('a', bytes)).rejects.toThrow(
      /\(4 attempts\)\. Look at AWS_ENDPOINT_URL/,
    );
    server.mishapOf = () => undefined;
    server.requests.length = 0;
    expect(await target.put('a', bytes)).toBe('written');
    expect([sent(), holds(bytes)]).toEqual([2, true]);
  });

  test('of the parts that are there only those are kept that fit', async () => {
    const bytes = patternBytes(4 * PART_BYTES, 1);
    server.mishapOf = (line) => (line.includes('partNumber=4') ? 'forbidden' : undefined);
    await expect(target.put('a', bytes)).rejects.toThrow('AccessDenied');
    const [upload] = server.buckets.uploads.values();
    upload!.parts.set(2, patternBytes(PART_BYTES, 77));
    server.mishapOf = () => undefined;
    server.requests.length = 0;
    await target.put('a', bytes);
    expect([sent(), holds(bytes)]).toEqual([2, true]);
  });

  test('an upload of other bytes that begin alike lends its parts, not its hash', async () => {
    const first = patternBytes(THREE_PARTS, 1);
    server.mishapOf = (line) => (line.includes('partNumber=3') ? 'forbidden' : undefined);
    await expect(target.put('a', first)).rejects.toThrow('AccessDenied');
    server.mishapOf = () => undefined;
    const second = first.slice();
    second[second.length - 1]! ^= 1;
    expect(await target.put('a', second)).toBe('written');
    expect(holds(second)).toBe(true);
    expect(Buffer.compare((await target.get('a'))!, second)).toBe(0);
    expect(await target.put('a', second)).toBe('unchanged');
  });

  test('uploads that nobody ended go with the name', async () => {
    server.mishapOf = (line) => (line.includes('partNumber=1') ? 'forbidden' : undefined);
    for (const seed of [1, 2, 3, 4, 5]) {
      await expect(target.put('a', patternBytes(THREE_PARTS, seed))).rejects.toThrow(
        'AccessDenied',
      );
    }
    expect(server.buckets.uploads.size).toBeGreaterThan(0);
    server.mishapOf = () => undefined;
    await target.delete('a');
    expect(server.buckets.uploads.size).toBe(0);
  });

  test('says what is wrong, and what to do', async () => {
    const put = (to = target) => expect(to.put('a', patternBytes(10, 1))).rejects;
    const open = (url: string) => S3Target.open('output', url, QUICK);
    expect(() => open('s3:///x')).toThrow('output: s3:///x: write it as s3://bucket/name');
    await put(open('s3://sea')).toThrow(
      'output: s3://sea/a: NoSuchBucket. Look at the name of the bucket',
    );
    server.mishapOf = (line) => (line.startsWith('PUT') ? 'forbidden' : undefined);
    await put().toThrow(/AccessDenied\. Ask for the permissions .*s3:PutObject/);
    server.mishapOf = () => 'forbidden';
    await put().toThrow(/AccessDenied.*\. Ask for the permissions .*s3:GetObject/);
    server.mishapOf = (line) => (line.startsWith('PUT') ? 'full' : undefined);
    await put().toThrow('QuotaExceeded. Make room there, or ask for a larger quota');
    server.mishapOf = () => 'overloaded';
    await put().toThrow(/\(4 attempts\)\. Look at AWS_ENDPOINT_URL and at the network/);
    server.mishapOf = () => undefined;
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'stranger');
    await put(open('s3://lake')).toThrow(/\. (Set AWS_ACCESS_KEY_ID|Ask for the permissions)/);
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, '');
    for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE']) {
      vi.stubEnv(name, '/nowhere');
    }
    await put(open('s3://lake')).toThrow('s3://lake/a: no credentials. Set AWS_ACCESS_KEY_ID');
  });
});
