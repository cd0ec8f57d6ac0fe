import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_SHARED } from '@starling/autodiff';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type CageSupport, cagedCommand, describeCage } from '../../packages/trainer/src/cage.ts';
import { type DeathCause, TrainerChild } from '../../packages/trainer/src/child.ts';
import { findGroupBase, groupBases } from '../../packages/trainer/src/control-group.ts';
import { limitsOf } from '../../packages/trainer/src/limits.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const limits = limitsOf({ memory: 300 * 2 ** 20 });
const base = findGroupBase();

const OPEN: CageSupport = {
  ...{ isolation: 'open', memoryLimit: false, groups: base, privileges: false, missing: [] },
};

test('a control group ends a child above its memory, and is gone after it', async () => {
  if (base === undefined) return console.log('skipped: this user may make no control group');
  console.log(`${describeCage(OPEN, limits)[0]} (version ${base.version})`);
  const entry = new URL('./hog-child.mjs', import.meta.url);
  const command = cagedCommand(OPEN, limits, { entry, readable: [], network: false });
  const { path } = command.group!;
  expect(existsSync(path)).toBe(true);
  const deaths: DeathCause[] = [];
  const onDeath = (cause: DeathCause) => deaths.push(cause);
  const child = new TrainerChild({ command, limits, log, onDeath });
  onTestFinished(() => child.kill());
  const request = child.request({ kind: 'describe', model: new Uint8Array(), weights: ALL_SHARED });
  await expect(request).rejects.toThrow(/SIGKILL.*out of memory: it may hold 300 MiB/);
  expect(deaths).toEqual(['out of memory']);
  await child.kill();
  expect(existsSync(path)).toBe(false);
});

test('groups of daemons that were killed are removed', () => {
  if (base === undefined) return console.log('skipped: this user may make no control group');
  // No process has the highest number there is.
  const stale = join(base.path, `starling-trainer-${2 ** 22}-1`);
  mkdirSync(stale);
  expect(findGroupBase()).toEqual(base);
  expect(readdirSync(base.path)).not.toContain(`starling-trainer-${2 ** 22}-1`);
});

describe('where groups can be made', () => {
  test('version 1: in the daemon’s own, as the mount shows it', () => {
    const mounts = [
      '30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
      '35 30 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
      '36 30 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct',
    ].join('\n');
    const groups = '9:cpu,cpuacct:/user\n4:memory:/user/one\n0::/';
    expect(groupBases({ groups, mounts })).toEqual([
      { version: 1, path: '/sys/fs/cgroup/memory/user/one' },
    ]);
    const inContainer = mounts.replace('0:32 / /', '0:32 /user /');
    expect(groupBases({ groups, mounts: inContainer })).toEqual([
      { version: 1, path: '/sys/fs/cgroup/memory/one' },
    ]);
  });

  test('version 2: beside the daemon, where its parent hands on the controller', async () => {
    const point = await temporaryDirectory();
    mkdirSync(join(point, 'unit/daemon'), { recursive: true });
    writeFileSync(join(point, 'unit/daemon/cgroup.subtree_control'), '\n');
    const mounts = `30 25 0:26 / ${point} rw,nosuid - cgroup2 cgroup2 rw`;
    const groups = '0::/unit/daemon';
    expect(groupBases({ groups, mounts })).toEqual([]);
    writeFileSync(join(point, 'unit/cgroup.subtree_control'), 'cpu memory pids\n');
    expect(groupBases({ groups, mounts })).toEqual([{ version: 2, path: join(point, 'unit') }]);
  });

  test('nowhere, where nothing says so', () => {
    expect(groupBases({ groups: '', mounts: '' })).toEqual([]);
  });
});
