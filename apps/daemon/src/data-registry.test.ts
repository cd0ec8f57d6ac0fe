import { appendFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8 } from '@starling/core';
import { MemoryJournal } from '@starling/store';
import { byteImages, inspectOffer, parseAugmentation, writeDataset } from '@starling/trainer';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { DataRegistry } from './data-registry.ts';

/** A folder of IDX files, and a table. */
async function twoSets() {
  const folder = await temporaryDirectory();
  const digits = join(folder, 'digits');
  const pixels = new Uint8Array(24).map((_, i) => i);
  const labels = [0, 1, 2, 1, 0, 2];
  const images = byteImages({ shape: [2, 2], pixels, labels, classes: 3 });
  await writeDataset(digits, images, { task: 'digits', classes: 3 });
  const table = join(folder, 'table.csv');
  await writeFile(table, 'a,b,price\n1,2,0.5\n3,4,1.5\n5,6,2.5\n');
  return { digits, table };
}

test('what was added is there again, with its plan, after the daemon has ended', async () => {
  const { digits, table } = await twoSets();
  const journal = new MemoryJournal();
  const registry = new DataRegistry(journal);
  const augment = parseAugmentation('flip,crop:1');
  const images = await inspectOffer('digits', digits, { augment });
  const numbers = await inspectOffer('prices', table, { task: 'prices' });
  await registry.add(images);
  expect(await registry.add(numbers)).toEqual({
    ...{ name: 'prices', path: table, task: 'prices', format: 'csv', examples: 3, shape: [2] },
    ...{ dtype: 'float32', target: 'numbers', classes: 0, augment: null },
  });
  await expect(registry.add(numbers)).rejects.toThrow('there is a data set "prices" already');
  const again = new DataRegistry(journal);
  expect(await again.load()).toEqual([]);
  expect([...again.list()]).toEqual([images, numbers]);
});

test('a set that was removed is forgotten, and no other', async () => {
  const { digits } = await twoSets();
  const journal = new MemoryJournal();
  const registry = new DataRegistry(journal);
  // One name begins the other.
  for (const name of ['set', 'set-2']) await registry.add(await inspectOffer(name, digits, {}));
  expect(await registry.remove('set')).toMatchObject({ name: 'set', path: digits });
  await expect(registry.remove('set')).rejects.toThrow('there is no data set "set"');
  const again = new DataRegistry(journal);
  expect(await again.load()).toEqual([]);
  expect([...again.list()].map(({ name }) => name)).toEqual(['set-2']);
  await again.add(await inspectOffer('set', digits, {}));
});

test('a journal of before plans were kept is read, and upgraded', async () => {
  const { digits } = await twoSets();
  const journal = new MemoryJournal();
  await journal.put('data/old', utf8(JSON.stringify({ path: digits, task: 'mine' })));
  const registry = new DataRegistry(journal);
  expect(await registry.load()).toEqual([]);
  const expected = await inspectOffer('old', digits, { task: 'mine' });
  expect(registry.get('old')).toEqual(expected);
  // The second time nothing is looked at: the images may be any.
  await appendFile(join(digits, 'images.idx3-ubyte'), 'x');
  const again = new DataRegistry(journal);
  expect(await again.load()).toEqual([]);
  expect(again.get('old')).toEqual(expected);
});

test('a set whose files are gone is left out and named, and comes back with them', async () => {
  const { digits, table } = await twoSets();
  const journal = new MemoryJournal();
  const registry = new DataRegistry(journal);
  await registry.add(await inspectOffer('a', digits, {}));
  await registry.add(await inspectOffer('b', table, {}));
  await rename(digits, `${digits}-away`);
  const without = new DataRegistry(journal);
  expect(await without.load()).toEqual([expect.stringMatching(/^data set a: .*no such file/)]);
  expect([...without.list()].map(({ name }) => name)).toEqual(['b']);
  await rename(`${digits}-away`, digits);
  const again = new DataRegistry(journal);
  expect(await again.load()).toEqual([]);
  expect([...again.list()]).toHaveLength(2);
  await rm(table);
});
