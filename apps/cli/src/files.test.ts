import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8 } from '@starling/core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type S3Server, startS3Server } from '../../../test/helpers/s3-server.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { besideFile, fileIn, inputExists, readIfThere, readInput, writeOutput } from './files.ts';

describe('files of commands', () => {
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

  test('are read and written here and in a bucket alike', async () => {
    const folder = await temporaryDirectory();
    for (const place of [folder, 's3://lake/deep/er', 's3://lake']) {
      const path = fileIn(place, 'größe 1.onnx');
      expect(await inputExists('model', path)).toBe(false);
      expect(await readIfThere('model', path)).toBeUndefined();
      await writeOutput(path, utf8('bytes'));
      expect(await inputExists('model', path)).toBe(true);
      expect(Buffer.from(await readInput('model', path)).toString()).toBe('bytes');
    }
    expect(await readdir(folder)).toEqual(['größe 1.onnx']);
    expect(await readFile(join(folder, 'größe 1.onnx'), 'utf8')).toBe('bytes');
    expect([...server.objects.keys()]).toEqual(['lake/deep/er/größe 1.onnx', 'lake/größe 1.onnx']);
  });

  test('that are not there are named, with the next step', async () => {
    await expect(readInput('model', '/nowhere/a')).rejects.toThrow(
      'model: cannot read /nowhere/a (no such file or folder). Check the path',
    );
    await expect(readInput('model', 's3://lake/nothing')).rejects.toThrow(
      'model: cannot read s3://lake/nothing (no such object). Look at bucket and name',
    );
    for (const url of ['s3://lake', 's3://lake/', 's3://']) {
      await expect(readInput('model', url)).rejects.toThrow(`${url} names no object`);
    }
    await expect(writeOutput('/nowhere/a', utf8('x'))).rejects.toThrow(
      'output: cannot write /nowhere/a (no such file or folder). Choose another file with -o',
    );
  });

  test.each([
    ['/jobs/job.yaml', 'model.onnx', '/jobs/model.onnx'],
    ['/jobs/job.yaml', '/else/model.onnx', '/else/model.onnx'],
    ['/jobs/job.yaml', 's3://lake/model.onnx', 's3://lake/model.onnx'],
    ['s3://lake/fork/job.yaml', 'model.onnx', 's3://lake/fork/model.onnx'],
    ['s3://lake/job.yaml', './model.onnx', 's3://lake/model.onnx'],
  ])('%s names %s', (file, named, path) => {
    expect(besideFile(file, named)).toBe(path);
  });
});
