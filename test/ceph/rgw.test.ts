import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createGenerator } from '@starling/autodiff';
import type { Log } from '@starling/core';
import { byteImages, createTrainer, datasetCatalog, inspectOffer } from '@starling/trainer';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseDataOptions } from '../../packages/trainer/src/data/options.ts';
import { openS3Store } from '../../packages/trainer/src/data/s3-store.ts';
import { writeEveryFormat } from '../../packages/trainer/src/data/testing/tables.ts';
import { linearModel, testJob } from '../../packages/trainer/src/testing/jobs.ts';
import { type Gateway, missingCeph, startGateway } from './rgw.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingCeph() : 'skipped: at full size only';
const childEntry = new URL('../../apps/cli/dist/trainer-child.js', import.meta.url);
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

const SIDE = 8;
/** More than a page of a listing, which has a thousand. */
const IMAGES = 1200;
const MIB = 2 ** 20;

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describe.skipIf(missing !== undefined)(`a real Ceph object gateway (${missing ?? 'here'})`, () => {
  let root: string;
  let folder: string;
  let gateway: Gateway | undefined;
  let client: S3Client;
  let paths: Awaited<ReturnType<typeof writeEveryFormat>>;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'starling-ceph-'));
    folder = join(root, 'data');
    const cluster = join(root, 'cluster');
    await mkdir(folder);
    await mkdir(cluster);
    gateway = await startGateway(cluster);
    vi.stubEnv('AWS_ENDPOINT_URL', gateway.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', gateway.accessKey);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', gateway.secretKey);
    client = new S3Client({
      ...{ region: 'us-east-1', forcePathStyle: true },
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    const generator = createGenerator(5);
    const size = IMAGES * SIDE * SIDE;
    const data = byteImages({
      ...{ shape: [SIDE, SIDE], classes: 10 },
      pixels: Uint8Array.from({ length: size }, () => generator.below(256)),
      labels: Array.from({ length: IMAGES }, () => generator.below(10)),
    });
    paths = await writeEveryFormat(folder, data);
    await client.send(new CreateBucketCommand({ Bucket: 'lake' }));
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      await put(relative(folder, path), await readFile(path));
    }
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    client?.destroy();
    await gateway?.stop();
    await rm(root, { recursive: true, force: true });
  });

  const put = (key: string, body: Uint8Array) =>
    client.send(new PutObjectCommand({ Bucket: 'lake', Key: key, Body: body }));

  test('trains in the trainer child to the same bits as local files, in every format', async () => {
    const options = parseDataOptions({ shape: `${SIDE}x${SIDE}`, normalise: 'scale:1/255' });
    const offered = async (name: string, path: string) => inspectOffer(name, path, { options });
    const local = await offered('local', paths.idx);
    const remote = await Promise.all(
      Object.entries(paths).map(([format, path]) =>
        offered(format, `s3://lake/${relative(folder, path)}`),
      ),
    );
    expect(remote.map(({ plan }) => plan.count)).toEqual(new Array(7).fill(IMAGES));
    const datasets = datasetCatalog([local, ...remote]);
    const trainer = createTrainer({ childEntry, datasets, log });
    const trained = async (dataset: string, task: string) => {
      const job = testJob({
        ...{ model: linearModel(SIDE * SIDE, 10), dataset },
        data: { ...testJob().data, task, input: { dtype: 'float32', shape: [SIDE * SIDE] } },
      });
      const prepared = await trainer.prepare(job);
      const update = await prepared.train(prepared.initial, 3);
      await prepared.close();
      return update;
    };
    try {
      const expected = await trained('local', local.schema.task);
      expect(expected.examples).toBe(IMAGES - IMAGES / 10);
      for (const { name, schema } of remote) {
        expect(await trained(name, schema.task), name).toEqual(expected);
      }
    } finally {
      await trainer.close();
    }
  });

  test('reads ranges of an object of many MiB, and notices when it is replaced', async () => {
    const bytes = Uint8Array.from({ length: 20 * MIB }, (_, i) => (i * 31 + (i >> 9)) % 251);
    await put('large/large.bin', bytes);
    const store = await openS3Store('s3://lake/large');
    const file = await store.open('large.bin');
    for (const [start, end] of [
      [0, 20 * MIB],
      [5 * MIB - 1, 5 * MIB + 1],
      [20 * MIB - 3, 20 * MIB],
    ] as const) {
      expect(Buffer.compare(await file.read(start, end), bytes.slice(start, end))).toBe(0);
    }
    await put(
      'large/large.bin',
      bytes.map((byte) => byte ^ 1),
    );
    await expect(file.read(9 * MIB, 9 * MIB + 9)).rejects.toThrow('the object has changed');
    await store.close();
  });

  test('says what the store refuses', async () => {
    await expect(openS3Store('s3://sea/x')).rejects.toThrow(
      /NoSuchBucket.* Look at the name of the bucket/,
    );
    await expect(openS3Store('s3://lake/nothing')).rejects.toThrow('holds no object');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong');
    await expect(openS3Store('s3://lake/idx')).rejects.toThrow(
      /SignatureDoesNotMatch.* Look at AWS_SECRET_ACCESS_KEY/,
    );
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'nobody');
    await expect(openS3Store('s3://lake/idx')).rejects.toThrow(
      /InvalidAccessKeyId.* Set AWS_ACCESS_KEY_ID/,
    );
  });
});
