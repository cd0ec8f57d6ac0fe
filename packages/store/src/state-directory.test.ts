import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type Random } from '@starling/core';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { LevelJournal, openStateDirectory } from './index.ts';

/** Counts up, so that two calls never give the same bytes. */
function countingRandom(): Random {
  let calls = 0;
  return { bytes: (length) => new Uint8Array(length).fill(++calls) };
}

test('creates a private directory with a seed that stays', async () => {
  const path = join(await temporaryDirectory(), 'deep', 'state');
  const random = countingRandom();
  const first = await openStateDirectory(path, random);
  expect(first.identitySeed).toHaveLength(32);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect((await stat(join(path, 'identity'))).mode & 0o777).toBe(0o600);
  await first.close();

  const second = await openStateDirectory(path, random);
  expect(second.identitySeed).toEqual(first.identitySeed);
  await second.close();
});

test('the file of the swarm is its owner’s alone, replaced whole, and can be removed', async () => {
  const path = await temporaryDirectory();
  const state = await openStateDirectory(path, countingRandom());
  expect(await state.swarm.read()).toBeUndefined();
  await state.swarm.write(new Uint8Array([1, 2, 3]));
  await state.swarm.write(new Uint8Array([4]));
  expect(await state.swarm.read()).toEqual(new Uint8Array([4]));
  expect((await stat(join(path, 'swarm'))).mode & 0o777).toBe(0o600);
  await state.swarm.remove();
  expect(await state.swarm.read()).toBeUndefined();
  await state.close();
});

test('a second opener is told which process holds it', async () => {
  const path = await temporaryDirectory();
  const first = await openStateDirectory(path, countingRandom());
  const second = openStateDirectory(path, countingRandom());
  await expect(second).rejects.toThrow(ConfigError);
  await expect(second).rejects.toThrow(`in use by process ${process.pid}`);
  await first.close();
  await (await openStateDirectory(path, countingRandom())).close();
});

test('the lock of a dead process, of a reused pid, or a torn one is taken over', async () => {
  const path = await temporaryDirectory();
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const stale = [
    `{"pid":${child.pid},"started":null}`,
    `{"pid":${process.pid},"started":"1"}`,
    '{"p',
  ];
  for (const content of stale) {
    await writeFile(join(path, 'lock'), content);
    const state = await openStateDirectory(path, countingRandom());
    expect(await readFile(join(path, 'lock'), 'utf8')).toContain(`"pid":${process.pid}`);
    await state.close();
  }
});

test('of many openers at once exactly one gets it', async () => {
  const path = await temporaryDirectory();
  const openers = Array.from({ length: 8 }, () => openStateDirectory(path, countingRandom()));
  const settled = await Promise.allSettled(openers);
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('a path that cannot be written is a ConfigError with a next step', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'file');
  await writeFile(file, '');
  const blocked = openStateDirectory(join(file, 'state'), countingRandom());
  await expect(blocked).rejects.toThrow(ConfigError);
  await expect(blocked).rejects.toThrow('choose another state directory');
});

test.skipIf(process.getuid?.() === 0)(
  'a directory without the right to write is refused',
  async () => {
    const directory = await temporaryDirectory();
    await chmod(directory, 0o500);
    await expect(openStateDirectory(directory, countingRandom())).rejects.toThrow('Give this user');
  },
);

test('an unknown version or a damaged identity is refused and the lock given back', async () => {
  const path = await temporaryDirectory();
  await writeFile(join(path, 'version'), '99\n');
  await expect(openStateDirectory(path, countingRandom())).rejects.toThrow('layout version "99"');
  await writeFile(join(path, 'version'), '1\n');
  await writeFile(join(path, 'identity'), 'short');
  await expect(openStateDirectory(path, countingRandom())).rejects.toThrow('5 bytes, not 32');
  await writeFile(join(path, 'identity'), new Uint8Array(32));
  await (await openStateDirectory(path, countingRandom())).close();
});

test('a journal that another has open says so', async () => {
  const path = join(await temporaryDirectory(), 'journal');
  const journal = await LevelJournal.open(path);
  onTestFinished(() => journal.close());
  await expect(LevelJournal.open(path)).rejects.toThrow(/another process has locked .*other host/);
});
