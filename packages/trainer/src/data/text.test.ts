import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGenerator, zooModel } from '@starling/autodiff';
import type { TrainerJob } from '@starling/rounds';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLocalJob } from '../local-job.ts';
import { testJob } from '../testing/jobs.ts';
import { planDataset } from './inspect.ts';
import { openDataSource } from './open-source.ts';
import { type DataWords, parseDataOptions } from './options.ts';

let folder: string;
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'starling-text-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function opened(text: string, words: DataWords) {
  const path = join(folder, `${made++}.txt`);
  await writeFile(path, text);
  const { plan, problems } = await planDataset(path, parseDataOptions(words));
  expect(problems).toEqual([]);
  return { plan, source: await openDataSource(path, JSON.parse(JSON.stringify(plan))) };
}

describe('plain text', () => {
  test('becomes sequences and what follows each token, in any part that is read', async () => {
    const texts = fc.string({ unit: 'grapheme', minLength: 12, maxLength: 200, size: 'max' });
    const parts = fc.record({ length: fc.integer({ min: 1, max: 5 }), cut: fc.nat() });
    await fc.assert(
      fc.asyncProperty(texts, parts, async (text, { length, cut }) => {
        const characters = Array.from(text.normalize());
        fc.pre(characters.length > 2 * length);
        const words = { text: 'chars', sequence: String(length) };
        const { plan, source } = await opened(text.normalize(), words);
        if (plan.reading.kind !== 'text') throw new Error('no text');
        const { alphabet } = plan.reading;
        const { count } = plan;
        expect(count).toBe(Math.floor((characters.length - 1) / length));
        const at = cut % count;
        const pieces = [await source.read(0, at), await source.read(at, count - at)];
        await source.close();
        const join = (pick: (piece: (typeof pieces)[number]) => Iterable<number>) =>
          pieces.flatMap((piece) => Array.from(pick(piece), (token) => alphabet[token]!));
        expect(join(({ inputs }) => inputs)).toEqual(characters.slice(0, count * length));
        expect(join(({ targets }) => targets!)).toEqual(characters.slice(1, count * length + 1));
      }),
      { numRuns: 40 },
    );
  });

  test('is cut by an alphabet that several peers share', async () => {
    const alphabet = join(folder, 'alphabet');
    await writeFile(alphabet, 'abcabc\nd');
    const words = { text: `chars:${alphabet}`, sequence: '2' };
    const { plan, source } = await opened('cab\nda', words);
    expect(plan).toMatchObject({ target: { kind: 'sequence', count: 5 }, count: 2 });
    expect((await source.read(0, 2)).inputs).toEqual(Int32Array.of(2, 0, 1, 3));
    await source.close();
    const foreign = opened('cabx', words);
    await expect(foreign).rejects.toThrow('character "x" is not known');
  });

  test('longer than a block reads as one, whatever its lines', async () => {
    const generator = createGenerator(3);
    // One line of two-byte characters, so that blocks of a MiB end in the middle of one.
    const text = Array.from({ length: 1_300_001 }, () => 'äöüß'[generator.below(4)]).join('');
    const { plan, source } = await opened(text, { text: 'chars', sequence: '1000' });
    if (plan.reading.kind !== 'text') throw new Error('no text');
    const { alphabet, blocks } = plan.reading;
    expect(blocks.length).toBeGreaterThan(1);
    const { inputs } = await source.read(520, 10);
    expect(Array.from(inputs, (token) => alphabet[token]).join('')).toBe(
      text.slice(520_000, 530_000),
    );
    await source.close();
  });
});

describe('the language models of the zoo learn plain text', () => {
  // Words in an order that a model can learn.
  const text = 'the quick brown fox jumps over the lazy dog. '.repeat(80);
  const data = (length: number): TrainerJob['data'] => ({
    ...{ task: 'text', input: { dtype: 'int32', shape: [length] } },
    ...{ target: 'sequence', classes: 80 },
  });

  test.each([
    ['gpt', 64, { optimizer: 'adam', learningRate: 0.003 }],
    ['char-lstm', 80, { optimizer: 'adam', learningRate: 0.003 }],
  ] as const)('%s', async (name, length, settings) => {
    const { source, plan } = await opened(text, { text: 'chars', sequence: String(length) });
    expect(plan.target).toMatchObject({ kind: 'sequence', length });
    const job = testJob({
      ...{ model: zooModel(name, 1), data: data(length) },
      training: { batchSize: 8, epochs: 3, ...settings },
    });
    const open = await openLocalJob({ job, source, threads: 2 });
    const before = await open.evaluate(open.initial, 100);
    expect(before.lossSum / before.examples).toBeCloseTo(Math.log(80), 0);
    const { update } = await open.train(open.initial, 1);
    const trained = open.initial.map((value, i) => value + update[i]!);
    const after = await open.evaluate(trained, 100);
    expect(after.lossSum).toBeLessThan(0.9 * before.lossSum);
    await open.close();
  });

  test('more tokens than the job has are refused with both numbers', async () => {
    const { source } = await opened(text, { text: 'bytes', sequence: '80' });
    const job = testJob({ model: zooModel('char-lstm', 1), data: data(80) });
    const opening = openLocalJob({ job, source, threads: 1 });
    await expect(opening).rejects.toThrow('labels of 256 classes in a job of 80');
    await source.close();
  });
});
