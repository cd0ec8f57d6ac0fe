import { type StdioOptions, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Where this process may make control groups that limit memory. */
export interface GroupBase {
  readonly version: 1 | 2;
  readonly path: string;
}

/** A control group for one child. */
export interface ControlGroup {
  readonly path: string;
  /** Whether the kernel ended something in it for want of memory. */
  ranOutOfMemory(): boolean;
  /** Removes it, once what was in it is gone. */
  remove(): Promise<void>;
}

const PREFIX = 'starling-trainer-';
const FILES = {
  1: {
    limit: 'memory.limit_in_bytes',
    swap: 'memory.memsw.limit_in_bytes',
    events: 'memory.oom_control',
  },
  2: { limit: 'memory.max', swap: 'memory.swap.max', events: 'memory.events' },
} as const;
/** A process leaves its group a moment after its parent hears of its end. */
const REMOVE_TRIES = 50;
const REMOVE_MS = 20;

/** Where the files of /proc/self say that this process is. */
export interface GroupFiles {
  /** /proc/self/cgroup */
  readonly groups: string;
  /** /proc/self/mountinfo */
  readonly mounts: string;
}

/**
 * Folders in which groups with a memory controller might be made, best first. Under version 2 a
 * group with processes has no children with controllers, so that a delegated daemon stands in a
 * group of its own, beside which there is room.
 */
export function groupBases({ groups, mounts }: GroupFiles): readonly GroupBase[] {
  const mounted = mounts.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    return type === '' ? [] : [{ root, point, type, options: options.split(',') }];
  });
  const folder = (mount: (typeof mounted)[number] | undefined, group: string) =>
    mount && join(mount.point, group === '/' ? '' : relative(mount.root, group));
  return groups.split('\n').flatMap((line): GroupBase[] => {
    const [, controllers = '', ...rest] = line.split(':');
    const group = rest.join(':');
    if (controllers.split(',').includes('memory')) {
      const mount = mounted.find(
        ({ type, options }) => type === 'cgroup' && options.includes('memory'),
      );
      const path = folder(mount, group);
      return path === undefined ? [] : [{ version: 1, path }];
    }
    if (controllers !== '' || !line.startsWith('0:')) return [];
    const path = folder(
      mounted.find(({ type }) => type === 'cgroup2'),
      group,
    );
    if (path === undefined) return [];
    return [dirname(path), path]
      .filter((each) => hasController(each))
      .map((each) => ({ version: 2, path: each }));
  });
}

/** Whether groups in this one get a memory controller. */
function hasController(path: string): boolean {
  const enabled = textOf(join(path, 'cgroup.subtree_control'));
  return enabled.trim().split(' ').includes('memory');
}

/** The first folder in which a group can be made, by making one; undefined where none can. */
export function findGroupBase(): GroupBase | undefined {
  try {
    const groups = readFileSync('/proc/self/cgroup', 'utf8');
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    const base = groupBases({ groups, mounts }).find((each) => canMake(each));
    if (base !== undefined) removeStale(base);
    return base;
  } catch {
    return undefined;
  }
}

function canMake(base: GroupBase): boolean {
  const path = join(base.path, `${PREFIX}${process.pid}-probe`);
  try {
    mkdirSync(path);
    writeFileSync(join(path, FILES[base.version].limit), `${2 ** 30}`);
    return true;
  } catch {
    return false;
  } finally {
    if (existsSync(path)) rmdirSync(path);
  }
}

/** Groups that daemons left behind which were killed. */
function removeStale({ path }: GroupBase): void {
  for (const name of readdirSync(path)) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : 0;
    if (!(pid > 0) || isAlive(pid)) continue;
    try {
      rmdirSync(join(path, name));
    } catch {
      // Something still runs in it, or another daemon was faster.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * Waits for the end of its standard input, which is ours, and removes what is left then: a group
 * cannot end with what is in it, and we may be killed.
 */
const REAP = `
cat > /dev/null
tries=0
while [ "$tries" -lt 50 ] && ls -d "$1"* > /dev/null 2>&1; do
  rmdir "$1"* 2> /dev/null || sleep 0.1
  tries=$((tries + 1))
done`;

const reaped = new Set<string>();

function startReaper(prefix: string): void {
  if (reaped.has(prefix)) return;
  reaped.add(prefix);
  const stdio: StdioOptions = ['pipe', 'ignore', 'ignore'];
  const reaper = spawn('sh', ['-c', REAP, 'sh', prefix], { stdio, detached: true });
  // Neither it nor the pipe keeps this process up; without a shell old groups wait for a start.
  reaper.on('error', () => {});
  reaper.unref();
  const pipe = reaper.stdin;
  if (pipe instanceof Socket) pipe.unref();
}

let made = 0;

/**
 * @param bytes of memory that all in it may take together, swap included
 * @returns undefined when it cannot be made any more; a child then has its own limits only
 */
export function makeGroup(base: GroupBase, bytes: number): ControlGroup | undefined {
  const prefix = join(base.path, `${PREFIX}${process.pid}-`);
  const path = `${prefix}${++made}`;
  const files = FILES[base.version];
  try {
    mkdirSync(path);
    startReaper(prefix);
    writeFileSync(join(path, files.limit), `${bytes}`);
    // Version 1 counts memory and swap together, version 2 swap alone.
    const swap = join(path, files.swap);
    if (existsSync(swap)) writeFileSync(swap, base.version === 1 ? `${bytes}` : '0');
  } catch {
    return undefined;
  }
  return {
    path,
    ranOutOfMemory: () => /^oom_kill [1-9]/m.test(textOf(join(path, files.events))),
    async remove() {
      for (let tries = 0; tries < REMOVE_TRIES && existsSync(path); tries++) {
        try {
          return rmdirSync(path);
        } catch {
          await delay(REMOVE_MS);
        }
      }
    },
  };
}

/** Empty where there is no such file. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Goes into the group, then becomes what follows. */
export const enterGroup = (path: string): readonly string[] => [
  ...['sh', '-c', 'set -e; echo $$ > "$1/cgroup.procs"; shift; exec "$@"', 'sh', path],
];
