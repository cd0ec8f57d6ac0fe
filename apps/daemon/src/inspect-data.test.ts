import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataSchema, inspectionSchema } from '@starling/control';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { inspectData } from './inspect-data.ts';

async function table(text: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'prices.csv');
  await writeFile(path, text);
  return path;
}

test('a table is looked at, and what it offers can be added as it is', async () => {
  const path = await table('a,b,kind\n1,2,cat\n3,4,dog\n5,6,cat\n');
  const view = await inspectData({ path, name: 'prices', label: 'kind', augment: 'noise:0.1' });
  expect(view).toMatchObject({
    ...{ task: 'prices', format: 'csv', examples: 3, shape: [2], problems: [] },
    ...{ classes: ['cat', 'dog'], histogram: [2, 1] },
  });
  expect(view.columns.map(({ name, use }) => [name, use])).toEqual([
    ...[
      ['a', 'input'],
      ['b', 'input'],
      ['kind', 'label'],
    ],
  ]);
  expect(inspectionSchema.parse(view)).toEqual(view);
  expect(dataSchema.parse(view.offer)).toMatchObject({
    ...{ name: 'prices', path, augment: { flip: false, crop: 0, noise: 0.1 } },
  });
});

test('what cannot train comes with its problems and no offer', async () => {
  const path = await table('a,kind\n1,cat\n,dog\nx,cat\n');
  const { offer, problems } = await inspectData({ path, name: 'p', label: 'kind', features: 'a' });
  expect(offer).toBeNull();
  expect(problems).not.toEqual([]);
});

test('words that mean nothing are refused by their key', async () => {
  const path = await table('a,kind\n1,cat\n2,dog\n');
  await expect(inspectData({ path, name: 'p', shape: 'big' })).rejects.toThrow(/shape: "big"/);
  await expect(inspectData({ path, name: 'p', augment: 'melt' })).rejects.toThrow(/augment/);
  await expect(inspectData({ path: '/nowhere', name: 'p' })).rejects.toThrow('/nowhere');
});

test('what is neither a file nor a folder is not read', async () => {
  const looking = inspectData({ path: '/dev/null', name: 'a' });
  await expect(looking).rejects.toThrow('/dev/null is neither a file nor a folder');
});
