import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ControlGroup,
  enterGroup,
  findGroupBase,
  type GroupBase,
  makeGroup,
} from './control-group.ts';
import type { Device } from './device.ts';
import { deviceAccess } from './device-files.ts';
import { mebibytes, type TrainerLimits } from './limits.ts';

/**
 * Ways to shut a child in, from the strongest: `sealed` has no network and sees only the files it
 * is given, `offline` has no network, `open` has neither.
 */
export type Isolation = 'sealed' | 'offline' | 'open';

/** What this platform lets us do without root; found out by trying. */
export interface CageSupport {
  readonly isolation: Isolation;
  /** `prlimit`: the kernel refuses memory above the limit. */
  readonly memoryLimit: boolean;
  /** Where the kernel counts all memory of a child, shared memory and files in memory included. */
  readonly groups?: GroupBase | undefined;
  /** `setpriv`: no new privileges, and death with the parent even in the middle of a run. */
  readonly privileges: boolean;
  /** In one sentence each, what is missing. */
  readonly missing: readonly string[];
}

export interface CageContents {
  /** The bundled `child-main`. */
  readonly entry: URL;
  /** Files and folders that the child may read beside its own code. */
  readonly readable: readonly string[];
  /** The data come over the network: the child keeps it, and sees all files. */
  readonly network: boolean;
  /** Where it trains, if not on the CPU: it sees that device and its driver. */
  readonly device?: Device;
}

/** How to start a caged child: the process that runs becomes Node.js by exec, so its pid stays. */
export interface CagedCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isolation: Isolation;
  /** Its own, to be removed after it. */
  readonly group?: ControlGroup;
}

/** The child trains foreign models: it gets no more of the environment than it needs. */
const ENVIRONMENT = ['PATH', 'LD_LIBRARY_PATH'];
/** How a child that has the network finds and opens an S3-compatible store. */
const STORE_ENVIRONMENT = [
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'],
  ...['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'],
  ...['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE', 'AWS_CA_BUNDLE'],
];
/** Of use only to a child that sees the files they name. */
const OPEN_ENVIRONMENT = ['HOME', 'TMPDIR', 'NODE_EXTRA_CA_CERTS'];

/** What every program needs: its loader and libraries, and what ONNX Runtime asks of the CPU. */
const SYSTEM = [
  ...['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/nix/store', '/etc/ld.so.cache'],
  ...['/dev/null', '/dev/zero', '/dev/random', '/dev/urandom'],
  ...['/proc/cpuinfo', '/proc/meminfo', '/sys/devices/system/cpu'],
];

/**
 * Builds a file tree of what is named, read-only, in a mount namespace of our own, and goes into
 * it. The tree hangs over a folder that every Linux has and that no child needs. Without
 * capabilities nobody gets out of a changed root, nor makes a user namespace inside one.
 */
const ENTER = `
set -eu
root=/sys/kernel
mount -t tmpfs -o size=16m,mode=755 cage "$root"
while [ "$1" != -- ]; do
  if [ -L "$1" ] && [ -z "\${1%/*}" ]; then cp -P "$1" "$root$1"
  elif [ -e "$root$1" ] || [ ! -e "$1" ]; then :
  elif [ -d "$1" ]; then
    mkdir -p "$root$1"; mount --rbind "$1" "$root$1"
    case $1 in /dev/*) ;; *) mount -o remount,bind,ro "$root$1" ;; esac
  else mkdir -p "$root\${1%/*}"; : > "$root$1"; mount --bind "$1" "$root$1"
    case $1 in /dev/*) ;; *) mount -o remount,bind,ro "$root$1" ;; esac
  fi
  shift
done
shift
mkdir -p "$root/tmp"
exec chroot "$root" "$@"
`;

const UNSHARE = ['unshare', '--user', '--map-root-user', '--net'];
const PRIVILEGES = [
  ...['setpriv', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'],
  ...['--pdeathsig', 'KILL'],
];
const PROBE_MS = 10_000;
/** Of V8's heap: the least, a part of the memory, and what is young. */
const HEAP_MIN_MIB = 64;
const HEAP_PART = 4;
const SEMI_SPACE_MIB = 4;

/** What bounds a child's memory then: the watcher reads /proc, which only Linux has. */
const WITHOUT_PRLIMIT = process.platform === 'linux' ? 'watched' : 'not limited here';

/** Tries what a cage is made of, each once; a few tenths of a second. */
export async function probeCage(entry: URL): Promise<CageSupport> {
  const node = [process.execPath, '-e', '0'];
  const [memoryLimit, privileges, offline, sealed] = await Promise.all([
    works([...memoryPrefix(2 ** 30), ...node]),
    works([...PRIVILEGES, ...node]),
    works([...UNSHARE, ...node]),
    works([...sealedPrefix({ entry, readable: [], network: false }), ...PRIVILEGES, ...node]),
  ]);
  const groups = findGroupBase();
  const isolation = sealed && privileges ? 'sealed' : offline ? 'offline' : 'open';
  const missing = [
    ...(memoryLimit || groups ? [] : [`no prlimit: memory is ${WITHOUT_PRLIMIT}`]),
    ...(privileges ? [] : ['no setpriv: a run goes on when the daemon is killed']),
    ...(offline || sealed ? [] : ['no user namespaces: the trainer has the network']),
    ...(isolation === 'sealed' ? [] : ['no mount namespaces: the trainer can read files']),
  ];
  return { isolation, memoryLimit, groups, privileges, missing };
}

/** The command that runs `contents.entry` within `limits`, as far as the platform allows. */
export function cagedCommand(
  support: CageSupport,
  limits: TrainerLimits,
  contents: CageContents,
): CagedCommand {
  const isolation = contents.network ? 'open' : support.isolation;
  const shut = { sealed: () => sealedPrefix(contents), offline: () => UNSHARE, open: () => [] };
  const group = support.groups && makeGroup(support.groups, limits.memory);
  const [command, ...args] = [
    ...(group ? enterGroup(group.path) : []),
    ...(support.memoryLimit ? memoryPrefix(limits.memory) : []),
    ...shut[isolation](),
    ...(support.privileges ? PRIVILEGES : []),
    ...[
      process.execPath,
      ...heapOptions(limits.memory),
      realpathSync(fileURLToPath(contents.entry)),
    ],
  ];
  const names = [
    ...ENVIRONMENT,
    ...(isolation === 'sealed' ? [] : OPEN_ENVIRONMENT),
    ...deviceAccess(contents.device ?? 'cpu').environment,
    ...(contents.network ? STORE_ENVIRONMENT : []),
  ];
  const env = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  return { command: command!, args, env, isolation, ...(group && { group }) };
}

/** What is in force, a line each, for `status` and `doctor`. */
export function describeCage(support: CageSupport, limits: TrainerLimits): readonly string[] {
  const kernel = support.groups ? 'by the kernel, in a control group' : 'by the kernel';
  const by = support.memoryLimit || support.groups ? kernel : WITHOUT_PRLIMIT;
  const isolation = {
    sealed: 'no network, no files but its code and its data set',
    offline: 'no network, files as the user may read them',
    open: 'network and files as the user has them',
  };
  return [
    `memory: ${mebibytes(limits.memory)}, ${by}`,
    `CPU: ${limits.cpuThreads} threads at niceness ${limits.nice}${shareText(limits)}`,
    `time: ${limits.secondsPerStep} s per step, ${limits.secondsPerRequest} s per request`,
    `isolation: ${isolation[support.isolation]}`,
    ...support.missing,
  ];
}

/**
 * RLIMIT_DATA counts what is written to and not shared, so that neither Node.js's reserved
 * addresses nor libraries need head-room, as they would under RLIMIT_AS.
 */
function memoryPrefix(bytes: number): string[] {
  return ['prlimit', `--data=${bytes}`, '--core=0'];
}

/**
 * V8 collects garbage late where it knows of no limit: most of the memory is for tensors, which do
 * not lie on its heap.
 */
function heapOptions(bytes: number): string[] {
  const old = Math.max(HEAP_MIN_MIB, Math.floor(bytes / HEAP_PART / 2 ** 20));
  return [`--max-old-space-size=${old}`, `--max-semi-space-size=${SEMI_SPACE_MIB}`];
}

function sealedPrefix({ entry, readable, device = 'cpu' }: CageContents): string[] {
  const tree = [
    ...SYSTEM,
    ...[realpathSync(process.execPath), ...codePaths(entry), ...readable],
    ...deviceAccess(device).paths,
  ].toSorted((a, b) => a.length - b.length); // Of two, one in the other, the outer one goes first.
  return [...UNSHARE, '--mount', '--ipc', 'sh', '-c', ENTER, 'sh', ...tree, '--'];
}

/** The entry's folder, and above it what Node.js looks for: packages and their descriptions. */
function codePaths(entry: URL): string[] {
  const folder = dirname(realpathSync(fileURLToPath(entry)));
  const found = [folder];
  for (let above = folder; ; above = dirname(above)) {
    found.push(...['package.json', 'node_modules'].map((name) => join(above, name)));
    if (above === dirname(above)) break;
  }
  return found.filter((path) => existsSync(path));
}

function works([command, ...args]: readonly string[]): Promise<boolean> {
  const env = { PATH: process.env['PATH'] };
  return new Promise((resolve) => {
    execFile(command!, args, { env, timeout: PROBE_MS }, (error) => resolve(error === null));
  });
}

const shareText = ({ cpuShare }: TrainerLimits): string =>
  cpuShare < 1 ? `, ${Math.round(100 * cpuShare)} % of the time` : '';
