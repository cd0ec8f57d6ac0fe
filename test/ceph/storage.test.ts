import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { hashHex } from '@starling/crypto';
import { openTarget } from '@starling/storage';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runTargetCompliance } from '../compliance/target.ts';
import { killWriter } from '../helpers/kill-writer.ts';
import { patternBytes } from '../helpers/patterns.ts';
import { type Gateway, missingCeph, startGateway } from './rgw.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingCeph() : 'skipped: at full size only';
const MIB = 2 ** 20;
const PART = 8 * MIB;

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describe.skipIf(missing !== undefined)(
  `writing to a real Ceph gateway (${missing ?? 'here'})`,
  () => {
    let root: string;
    let gateway: Gateway | undefined;
    let client: S3Client;
    let count = 0;

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'starling-ceph-'));
      const cluster = join(root, 'cluster');
      await mkdir(cluster);
      gateway = await startGateway(cluster);
      vi.stubEnv('AWS_ENDPOINT_URL', gateway.endpoint);
      vi.stubEnv('AWS_ACCESS_KEY_ID', gateway.accessKey);
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', gateway.secretKey);
      client = new S3Client({
        ...{ region: 'us-east-1', forcePathStyle: true },
        requestChecksumCalculation: 'WHEN_REQUIRED',
      });
      await client.send(new CreateBucketCommand({ Bucket: 'lake' }));
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      client?.destroy();
      await gateway?.stop();
      await rm(root, { recursive: true, force: true });
    });

    runTargetCompliance('a real Ceph gateway', async () => {
      const place = `s3://lake/place-${++count}`;
      const reopen = () => openTarget('output', place);
      return { target: await reopen(), reopen, close: async () => {} };
    });

    const uploads = async (key: string): Promise<readonly string[]> => {
      const found = await client.send(
        new ListMultipartUploadsCommand({ Bucket: 'lake', Prefix: key }),
      );
      return (found.Uploads ?? []).flatMap(({ UploadId }) => UploadId ?? []);
    };
    const parts = async (key: string, upload: string) =>
      (await client.send(new ListPartsCommand({ Bucket: 'lake', Key: key, UploadId: upload })))
        .Parts;

    test('a killed upload goes on from its parts; a wrong one is sent again', async () => {
      const length = 4 * PART + 5;
      const key = 'killed/model.onnx';
      const args = ['s3://lake/killed', 'model.onnx', String(length)];
      expect(await killWriter(args, (done) => done >= 2 * PART)).toBe('SIGKILL');
      const [upload] = await uploads(key);
      const kept = (await parts(key, upload!)) ?? [];
      expect(kept.length).toBeGreaterThanOrEqual(2);
      expect(kept.length).toBeLessThan(5);
      const spoilt = kept[0]!.PartNumber!;
      await client.send(
        new UploadPartCommand({
          ...{ Bucket: 'lake', Key: key, UploadId: upload, PartNumber: spoilt },
          Body: patternBytes(PART, 99),
        }),
      );

      const target = await openTarget('output', 's3://lake/killed');
      const bytes = patternBytes(length, 0);
      const told: number[] = [];
      const onProgress = (done: number) => told.push(done);
      expect(await target.put('model.onnx', bytes, { onProgress })).toBe('written');
      // Nothing but what was missing, or wrong, is sent.
      expect(told[0]).toBe(kept.slice(1).reduce((sum, { Size = 0 }) => sum + Size, 0));
      expect(Buffer.compare((await target.get('model.onnx'))!, bytes)).toBe(0);
      const head = await client.send(new HeadObjectCommand({ Bucket: 'lake', Key: key }));
      expect(head.Metadata).toEqual({ 'starling-sha256': hashHex(bytes) });
      expect(await target.put('model.onnx', bytes)).toBe('unchanged');
      expect(await uploads(key)).toEqual([]);
      await target.close();
    });

    test('parts of other bytes are lent, and the hash noted is that of what is there', async () => {
      const first = patternBytes(3 * PART, 1);
      const second = first.slice();
      second[second.length - 1]! ^= 1;
      const key = 'lent/model.onnx';
      const target = await openTarget('output', 's3://lake/lent');
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand({
          ...{ Bucket: 'lake', Key: key, Metadata: { 'starling-sha256': hashHex(first) } },
        }),
      );
      await client.send(
        new UploadPartCommand({
          ...{ Bucket: 'lake', Key: key, UploadId, PartNumber: 1, Body: first.subarray(0, PART) },
        }),
      );
      expect(await target.put('model.onnx', second)).toBe('written');
      expect(Buffer.compare((await target.get('model.onnx'))!, second)).toBe(0);
      expect(await target.put('model.onnx', second)).toBe('unchanged');
      await target.close();
    });

    test('bytes that were damaged on their way are refused by their MD5', async () => {
      const body = { Body: Buffer.from('hello'), ContentMD5: Buffer.alloc(16).toString('base64') };
      const put = client.send(new PutObjectCommand({ Bucket: 'lake', Key: 'damaged', ...body }));
      await expect(put).rejects.toMatchObject({ name: 'BadDigest' });
    });

    test('says what the store refuses', async () => {
      const put = async (place: string) => {
        const target = await openTarget('output', place);
        await target.put('a', patternBytes(2 * MIB, 1)).finally(() => target.close());
      };
      await expect(put('s3://sea')).rejects.toThrow(
        /NoSuchBucket.* Look at the name of the bucket/,
      );
      gateway!.admin(
        ...['user', 'create', '--uid=poor', '--display-name=poor'],
        ...['--access-key=POORPOORPOORPOOR', '--secret-key=poorSecretKeyOfATest'],
      );
      gateway!.admin('quota', 'set', '--quota-scope=user', '--uid=poor', '--max-size=1048576');
      gateway!.admin('quota', 'enable', '--quota-scope=user', '--uid=poor');
      vi.stubEnv('AWS_ACCESS_KEY_ID', 'POORPOORPOORPOOR');
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'poorSecretKeyOfATest');
      await expect(put('s3://lake')).rejects.toThrow(/AccessDenied.* Ask for the permissions/);
      const poor = new S3Client({ region: 'us-east-1', forcePathStyle: true });
      await poor.send(new CreateBucketCommand({ Bucket: 'pond' }));
      poor.destroy();
      await expect(put('s3://pond')).rejects.toThrow(/QuotaExceeded.* Make room there/);
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong');
      await expect(put('s3://pond')).rejects.toThrow(/output: s3:\/\/pond\/a: /);
    });
  },
);
