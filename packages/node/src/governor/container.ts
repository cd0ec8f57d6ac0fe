import { dirname, join, relative } from 'node:path';
import { type MachineFiles, numberIn } from './machine-files.ts';

/** What the control groups of this process let it have; nothing said where there is no limit. */
export interface ContainerLimits {
  readonly memoryBytes?: number;
  /** CPUs, in fractions: 1.5 is one and a half. */
  readonly cpus?: number;
  readonly version?: 1 | 2;
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

interface Found {
  readonly memory: number | undefined;
  readonly cpus: number | undefined;
}

/** Above this a limit of version 1 means that there is none: it is the largest number it has. */
const UNLIMITED_FROM = 2 ** 60;

/**
 * The strictest limits of this process's groups and of all above them that can be seen, in version
 * 1 (memory.limit_in_bytes, cpu.cfs_quota_us) and 2 (memory.max, memory.high, cpu.max).
 */
export function containerLimits(files: MachineFiles): ContainerLimits {
  const groups = files.text('/proc/self/cgroup') ?? '';
  const mounts = mountsIn(files.text('/proc/self/mountinfo') ?? '');
  let limits: ContainerLimits = {};
  for (const line of groups.split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    if (controllers === undefined) continue;
    const group = rest.join(':');
    const version = controllers === '' ? 2 : 1;
    const names = controllers.split(',');
    const mount = mounts.find(({ type, options }) =>
      version === 2
        ? type === 'cgroup2'
        : type === 'cgroup' && names.every((name) => options.includes(name)),
    );
    if (mount === undefined) continue;
    for (const folder of foldersOf(mount, group)) {
      const found = version === 2 ? second(files, folder) : first(files, folder, names);
      limits = stricter(limits, found, version);
    }
  }
  return limits;
}

/** The group's folder and those above it, up to where the hierarchy is mounted. */
function foldersOf({ root, point }: Mount, group: string): readonly string[] {
  const inside = relative(root, group);
  // A group outside of what is mounted: from inside a container the mount is its own group.
  if (inside.startsWith('..')) return [point];
  const folders: string[] = [];
  for (let at = inside; ; at = dirname(at)) {
    folders.push(join(point, at));
    if (at === '' || at === '.') return folders;
  }
}

function first(files: MachineFiles, folder: string, controllers: readonly string[]): Found {
  const has = (name: string) => controllers.includes(name);
  const limit = has('memory') ? numberIn(files, `${folder}/memory.limit_in_bytes`) : undefined;
  const quota = has('cpu') ? numberIn(files, `${folder}/cpu.cfs_quota_us`) : undefined;
  const period = numberIn(files, `${folder}/cpu.cfs_period_us`);
  return {
    memory: limit !== undefined && limit < UNLIMITED_FROM ? limit : undefined,
    cpus: quota !== undefined && period ? quota / period : undefined,
  };
}

function second(files: MachineFiles, folder: string): Found {
  const [quota = '', period = ''] = (files.text(`${folder}/cpu.max`) ?? '').trim().split(' ');
  const cpus = Number(quota) / Number(period);
  return {
    memory: least(
      numberIn(files, `${folder}/memory.max`),
      numberIn(files, `${folder}/memory.high`),
    ),
    cpus: cpus > 0 ? cpus : undefined,
  };
}

function stricter(limits: ContainerLimits, found: Found, version: 1 | 2): ContainerLimits {
  const memoryBytes = least(limits.memoryBytes, found.memory);
  const cpus = least(limits.cpus, found.cpus);
  if (found.memory === undefined && found.cpus === undefined) return limits;
  return {
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(cpus !== undefined && { cpus }),
    version,
  };
}

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

function mountsIn(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    return type === '' ? [] : [{ root, point, type, options: options.split(',') }];
  });
}
