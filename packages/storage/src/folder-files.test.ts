import { execFileSync } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { utf8 } from '@starling/core';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { FolderTarget } from './folder-target.ts';
import { writeWhole } from './index.ts';

const text = (path: string) => readFile(path, 'utf8');

test('a file is replaced by another one: who has the old one open goes on reading it', async () => {
  const path = join(await temporaryDirectory(), 'model.onnx');
  await writeWhole(path, utf8('old'));
  await chmod(path, 0o640);
  const before = await stat(path);
  await writeWhole(path, utf8('new'));
  const after = await stat(path);
  expect(after.ino).not.toBe(before.ino);
  expect([await text(path), after.mode & 0o777]).toEqual(['new', 0o640]);
});

test('a link stays, and what it points to is replaced', async () => {
  const folder = await temporaryDirectory();
  const [real, link] = [join(folder, 'real'), join(folder, 'link')];
  await writeFile(real, 'old');
  await symlink('real', link);
  await writeWhole(link, utf8('new'));
  expect([await readlink(link), await text(real)]).toEqual(['real', 'new']);
});

test('what is no plain file is written to as it is', async () => {
  const folder = await temporaryDirectory();
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const read = text(pipe);
  await writeWhole(pipe, utf8('through'));
  expect(await read).toBe('through');
  expect((await lstat(pipe)).isFIFO()).toBe(true);
});

test('where nothing can be written there is an error, and no draft', async () => {
  const folder = await temporaryDirectory();
  await expect(writeWhole(join(folder, 'no', 'a'), utf8('x'))).rejects.toThrow('ENOENT');
  expect(await readdir(folder)).toEqual([]);
});

test('a target that is not there is not made, and what is below it is', async () => {
  const folder = await temporaryDirectory();
  const away = new FolderTarget('checkpoints.to', join(folder, 'away'));
  await expect(away.put('job/a', utf8('x'))).rejects.toThrow(
    `checkpoints.to: there is no folder ${folder}/away. Make the folder, or mount what it is on`,
  );
  expect(await readdir(folder)).toEqual([]);
  await mkdir(join(folder, 'away'));
  await away.put('job/a', utf8('x'));
  expect(await text(join(folder, 'away', 'job', 'a'))).toBe('x');
});

test('errors of the system name the path, the cause and the next step', async () => {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, 'file'), '');
  const inFile = new FolderTarget('output', join(folder, 'file'));
  await expect(inFile.put('a', utf8('x'))).rejects.toThrow(
    `output: ${folder}/file/a: a part of the path is no folder. Name a folder`,
  );
});

test('drafts of a process that died go with the next deletion, young ones do not', async () => {
  const folder = await temporaryDirectory();
  const [old, young] = ['.a.0123456789ab.part', '.b.0123456789ab.part'];
  for (const name of [old, young]) await writeFile(join(folder, name), 'half');
  const before = Date.now() / 1000 - 7200;
  await utimes(join(folder, old), before, before);
  const target = new FolderTarget('output', folder);
  await target.delete('gone');
  expect(await readdir(folder)).toEqual([young]);
});
