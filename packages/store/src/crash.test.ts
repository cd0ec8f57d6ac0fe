import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type BlobHash, utf8 } from '@starling/core';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { FileBlobStore, LevelJournal } from './index.ts';

const WRITER = fileURLToPath(
  new URL('../../../test/helpers/children/store-writer.ts', import.meta.url),
);

test('what put resolved survives SIGKILL in the middle of writing', async () => {
  const directory = await temporaryDirectory();
  const promised = await runUntilKilled(directory, 25);

  const journal = await LevelJournal.open(join(directory, 'journal'));
  const blobs = await FileBlobStore.open(join(directory, 'blobs'));
  let found = 0;
  for await (const [key, value] of journal.entries('entry/')) {
    expect(key).toBe(`entry/${String(found).padStart(6, '0')}`);
    const blob = await blobs.get(new TextDecoder().decode(value) as BlobHash);
    expect(blob).toEqual(utf8(`blob ${found} `.repeat(1000)));
    found++;
  }
  await journal.close();
  expect(found).toBeGreaterThanOrEqual(promised);
});

test('a torn last record of the journal is dropped, the rest is kept', async () => {
  const directory = join(await temporaryDirectory(), 'journal');
  const journal = await LevelJournal.open(directory);
  for (const key of ['a', 'b', 'c']) await journal.put(key, utf8(key));
  await journal.close();
  const log = (await readdir(directory))
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1)!;
  await appendFile(join(directory, log), new Uint8Array([1, 2, 3, 4, 200, 0, 1, 9, 9]));

  const reopened = await LevelJournal.open(directory);
  for (const key of ['a', 'b', 'c']) expect(await reopened.get(key)).toEqual(utf8(key));
  await reopened.put('d', utf8('d'));
  await reopened.close();
});

/** Lets the writer promise `lines` entries, kills it, and says how many it had promised. */
async function runUntilKilled(directory: string, lines: number): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', WRITER, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  let promised = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    promised = Number(line) + 1;
    if (promised === lines) child.kill('SIGKILL');
  }
  await exit;
  expect(promised).toBeGreaterThanOrEqual(lines);
  return promised;
}
