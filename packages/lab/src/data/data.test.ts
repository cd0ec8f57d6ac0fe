import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { settingsSchema } from '../schema.ts';
import { loadData } from './load.ts';
import { speechesIn } from './speeches.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'starling-lab-data-'));
});
afterEach(() => rm(folder, { recursive: true }));

const dataOf = (data: object) =>
  settingsSchema.parse({ name: 'x', data, model: 'x', stop: { rounds: 1 } }).data;

test('MNIST is there in full, and a smaller part of it is the same for all', async () => {
  const { train, test } = await loadData(dataOf({ set: 'mnist' }), folder);
  expect([train.info.count, test.info.count]).toEqual([60_000, 10_000]);
  const part = () => loadData(dataOf({ set: 'mnist', examples: 100 }), folder);
  const [a, b] = [await part(), await part()];
  expect(a.train.info.count).toBe(100);
  expect(a.train.examples.inputs).toEqual(b.train.examples.inputs);
});

test('a table keeps a part for the test, and knows whose each row is', async () => {
  const rows = Array.from({ length: 50 }, (_, i) => `${i},${i % 2},person-${i % 5}`);
  await writeFile(join(folder, 't.csv'), `x,label,who\n${rows.join('\n')}\n`);
  const asked = { set: 't.csv', label: 'label', features: 'x', normalise: 'none', id: 'who' };
  const { train, test, ids } = await loadData(dataOf(asked), folder);
  expect([train.info.count, test.info.count, ids?.length]).toEqual([40, 10, 40]);
  // Whose a row is follows from its number, which is its only feature.
  const owners = Array.from(train.examples.inputs, (x) => x % 5);
  const names = new Map(owners.map((owner, i) => [owner, ids![i]]));
  for (const [i, owner] of owners.entries()) expect(ids![i]).toBe(names.get(owner));
  expect(new Set(names.values()).size).toBe(5);
});

test('a play is cut by who speaks, and the last of each role is the test', async () => {
  const say = (name: string, letter: string, times: number) => `${name}:\n${letter.repeat(times)}`;
  const text = [say('KING', 'a', 30), say('FOOL', 'b', 60), say('KING', 'a', 30)].join('\n\n');
  await writeFile(join(folder, 'play.txt'), `${text}\n`);
  expect([...speechesIn(text).keys()]).toEqual(['KING', 'FOOL']);
  const asked = { set: 'play.txt', id: 'speaker', sequence: '10', test: 0.2 };
  const { train, test, ids } = await loadData(dataOf(asked), folder);
  expect(ids).toEqual([...new Array(5).fill('KING'), ...new Array(5).fill('FOOL')]);
  expect([train.info.count, test.info.count]).toEqual([10, 2]);
  expect(train.info.target).toEqual({ kind: 'sequence', count: 3, length: 10 });
  // The target is the text one character later.
  const { inputs, targets } = train.examples;
  expect(targets!.slice(0, 9)).toEqual(inputs.slice(1, 10));
});

test('a set that is not there is named, with what there is', async () => {
  await expect(loadData(dataOf({ set: 'cifar' }), folder)).rejects.toThrow(/mnist, fashion-mnist/);
});
