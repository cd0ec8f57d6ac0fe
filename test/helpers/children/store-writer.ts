import { join } from 'node:path';
import { utf8 } from '@starling/core';
import { FileBlobStore, LevelJournal } from '@starling/store';

/** Writes numbered entries until it is killed; prints a number once it is durable. */
const directory = process.argv[2]!;
const journal = await LevelJournal.open(join(directory, 'journal'));
const blobs = await FileBlobStore.open(join(directory, 'blobs'));
for (let i = 0; ; i++) {
  const hash = await blobs.put(utf8(`blob ${i} `.repeat(1000)));
  await journal.put(`entry/${String(i).padStart(6, '0')}`, utf8(hash));
  process.stdout.write(`${i}\n`);
}
