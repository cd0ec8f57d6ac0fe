import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { PolicyBook } from './api-policy.ts';
import { type ConfigInput, configSchema, policyOf } from './config.ts';

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';
const OTHER = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X';

const policyWith = (policy: ConfigInput['policy'] = {}) => configSchema.parse({ policy }).policy;

test('what is set is in force at once, and after a restart, before the configuration', async () => {
  const directory = await temporaryDirectory();
  const configured = policyWith({ minPeers: 4, trust: [PEER] });
  const book = await PolicyBook.open(directory, configured);
  expect(policyOf(book).minPeers).toBe(4);
  await book.change({ minPeers: 7, privacyBudget: { scans: { epsilon: 8, delta: 1e-6 } } });
  expect(policyOf(book).minPeers).toBe(7);
  expect(policyOf(book).privacyBudgets?.get('scans')).toEqual({ epsilon: 8, delta: 1e-6 });
  const later = await PolicyBook.open(directory, { ...configured, minPeers: 5 });
  expect(later.view()).toMatchObject({
    ...{ minPeers: 7, trust: [PEER], worseMax: null, set: ['minPeers', 'privacyBudget'] },
  });
  expect((await stat(join(directory, 'policy.json'))).mode & 0o777).toBe(0o600);
});

test('null goes back to the configuration, as it is then', async () => {
  const directory = await temporaryDirectory();
  const book = await PolicyBook.open(directory, policyWith({ worseMax: 2 }));
  await book.change({ worseMax: 9, trust: [OTHER] });
  await book.change({ worseMax: null });
  expect(book.view()).toMatchObject({ worseMax: 2, trust: [OTHER], set: ['trust'] });
});

test('what makes no sense is refused by its key, and changes nothing', async () => {
  const directory = await temporaryDirectory();
  const book = await PolicyBook.open(directory, policyWith());
  const before = book.view();
  await expect(book.change({ minPeers: 2 })).rejects.toThrow('policy.minPeers: ');
  await expect(book.change({ trust: ['me'] })).rejects.toThrow('policy.trust.0: not a peer id');
  await expect(book.change({ minCompany: 1 })).rejects.toThrow('policy.minCompany: more than');
  await expect(book.change({ worseMax: 0.5 })).rejects.toThrow('policy.worseMax');
  expect(book.view()).toEqual(before);
  await expect(stat(join(directory, 'policy.json'))).rejects.toThrow('ENOENT');
});

test('changes at the same time are all there', async () => {
  const directory = await temporaryDirectory();
  const book = await PolicyBook.open(directory, policyWith());
  await Promise.all([
    ...[book.change({ minPeers: 5 }), book.change({ worseMax: 3 })],
    book.change({ company: [PEER, OTHER], minCompany: 2 }),
  ]);
  const kept = JSON.parse(await readFile(join(directory, 'policy.json'), 'utf8')) as object;
  expect(kept).toEqual({ minPeers: 5, worseMax: 3, company: [PEER, OTHER], minCompany: 2 });
});

test.each([
  ['{', /policy\.json: .*Mend the file/s],
  ['[]', /policy\.json: .*no JSON object/],
  ['{"members": []}', /policy\.members: is not to be set here/],
  ['{"minCompany": 2}', /policy\.minCompany: more than there are peers/],
])('a file with %s is named, with what is wrong', async (text, message) => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'policy.json'), text);
  await expect(PolicyBook.open(directory, policyWith())).rejects.toThrow(message);
});
