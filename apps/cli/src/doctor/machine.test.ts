import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { configSchema } from '../../../daemon/src/config.ts';
import { thisMachine } from './machine.ts';
import { filesCheck, memoryCheck, nodeCheck, stateCheck } from './machine-checks.ts';
import { trainerCheck } from './trainer-checks.ts';
import { openTrainerProbe } from './trainer-probe.ts';

const folder = mkdtempSync(join(tmpdir(), 'starling-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a real directory', () => {
  test('that is not there yet is judged by the one above it', async () => {
    const state = await thisMachine.directory(join(folder, 'a/b/c'));
    expect(state).toMatchObject({ at: folder, exists: false, refused: undefined, mode: undefined });
    expect(state.freeBytes).toBeGreaterThan(0);
  });

  test('with its mode and its newest file', async () => {
    const path = join(folder, 'state');
    mkdirSync(path, { mode: 0o750 });
    writeFileSync(join(path, 'old'), '');
    writeFileSync(join(path, 'new'), '');
    utimesSync(join(path, 'old'), 1000, 1000);
    utimesSync(join(path, 'new'), 5_000_000_000, 5_000_000_000);
    const state = await thisMachine.directory(path);
    expect(state).toMatchObject({ exists: true, mode: 0o750, newest: 5_000_000_000_000 });
  });

  test('whose place a file takes', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    const [finding] = await stateCheck(thisMachine, path).run();
    expect(finding).toMatchObject({
      verdict: 'fail',
      evidence: `${path}: cannot write to ${path} (a file is in the way)`,
    });
  });

  test('where this user may not write', async () => {
    if (process.getuid?.() === 0) return console.log('skipped: root may write everywhere');
    const path = join(folder, 'closed');
    mkdirSync(path);
    chmodSync(path, 0o500);
    const [finding] = await stateCheck(thisMachine, path).run();
    expect(finding).toMatchObject({
      verdict: 'fail',
      evidence: `${path}: cannot write to ${path} (permission denied)`,
    });
  });
});

test('this machine is good enough to run its own tests', async () => {
  for (const check of [nodeCheck(thisMachine), memoryCheck(thisMachine, 2 ** 20)]) {
    for (const { verdict } of await check.run()) expect(['ok', 'warn']).toContain(verdict);
  }
  const [files] = await filesCheck(thisMachine).run();
  expect(files!.verdict).not.toBe('fail');
});

test('a trainer whose program is missing is found', async () => {
  const probe = openTrainerProbe(configSchema.parse({}), new URL('./check.ts', import.meta.url));
  const [finding] = await trainerCheck(probe).run();
  await probe.close();
  expect(finding).toMatchObject({
    verdict: 'fail',
    evidence: expect.stringMatching(/^its process does not work: the trainer child ended/),
  });
});
