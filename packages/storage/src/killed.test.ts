import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { killWriter } from '../../../test/helpers/kill-writer.ts';
import { patternBytes } from '../../../test/helpers/patterns.ts';
import { type S3Server, startS3Server } from '../../../test/helpers/s3-server.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { openTarget } from './index.ts';

const MIB = 2 ** 20;

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server('writer');
  server.buckets.names.add('lake');
  vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'writer');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

test('an upload whose process was killed goes on from the parts that are there', async () => {
  const length = 33 * MIB;
  const args = ['s3://lake/run', 'model.onnx', String(length)];
  expect(await killWriter(args, (done) => done >= 16 * MIB)).toBe('SIGKILL');
  expect(server.objects.has('lake/run/model.onnx')).toBe(false);
  const [upload] = server.buckets.uploads.values();
  const sent = upload!.parts.size;
  expect(sent).toBeGreaterThanOrEqual(2);
  expect(sent).toBeLessThan(5);

  server.requests.length = 0;
  const target = await openTarget('output', 's3://lake/run');
  const told: number[] = [];
  const bytes = patternBytes(length, 0);
  const onProgress = (done: number) => told.push(done);
  expect(await target.put('model.onnx', bytes, { onProgress })).toBe('written');
  await target.close();
  expect(server.requests.filter((line) => line.includes('partNumber'))).toHaveLength(5 - sent);
  expect(told[0]).toBeGreaterThanOrEqual(16 * MIB);
  expect(Buffer.compare(server.objects.get('lake/run/model.onnx')!, bytes)).toBe(0);
  expect(server.buckets.uploads.size).toBe(0);
});

test('a reader of a folder sees old or new, and after a kill too', async () => {
  const folder = await temporaryDirectory();
  const path = join(folder, 'model.onnx');
  const length = 2 * MIB;
  const either = [patternBytes(length, 0), patternBytes(length, 1)];
  const isWhole = async () => {
    const bytes = await readFile(path);
    return either.some((each) => Buffer.compare(each, bytes) === 0);
  };
  const args = [folder, 'model.onnx', String(length), 'again'];
  const signal = await killWriter(args, async (_, lines) => {
    expect(await isWhole()).toBe(true);
    return lines >= 8;
  });
  expect(signal).toBe('SIGKILL');
  expect(await isWhole()).toBe(true);
  const drafts = (await readdir(folder)).filter((name) => name !== 'model.onnx');
  expect(drafts.every((name) => /^\.model\.onnx\.[0-9a-f]{12}\.part$/.test(name))).toBe(true);
});
