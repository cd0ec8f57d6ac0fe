import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { probeCage } from '../../packages/trainer/src/cage.ts';
import { findGroupBase } from '../../packages/trainer/src/control-group.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

/** More minibatches than the test has time for. */
const ENDLESS = 50_000;

test('kill -9 of the daemon in mid-run leaves no trainer behind', async () => {
  const { privileges } = await probeCage(new URL('./escape-child.mjs', import.meta.url));
  if (!privileges) return console.log('skipped: no setpriv');
  const entry = fileURLToPath(new URL('./orphan-parent.ts', import.meta.url));
  // Now: to look for it removes what daemons left behind.
  const base = findGroupBase();
  const parent = fork(entry, [await temporaryDirectory(), `${ENDLESS}`], {
    execArgv: ['--import', 'tsx'],
  });
  const [pid] = await once(parent, 'message');
  expect(alive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await until(() => !alive(pid), 60_000, 'the end of the child');
  if (base === undefined) return;
  const left = () => readdirSync(base.path).filter((name) => name.includes(`-${parent.pid}-`));
  await until(() => left().length === 0, 60_000, 'the end of its control group');
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
