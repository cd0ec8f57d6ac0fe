import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { writeImageFiles } from '../../scripts/package.ts';
import { missingPrograms } from '../helpers/debian.ts';

const ROOT = join(import.meta.dirname, '../..');
/** More than this the kernel of a shared machine may refuse. */
export const ULIMITS = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
const BASE = 'localhost/starling-test-base';
export const IMAGE = 'localhost/starling-test';
/** The stage that is also built here, upon a base that needs no download. */
const RUNTIME_STAGE = /^FROM \$\{RUNTIME_IMAGE\} AS runtime$/m;
const BASE_IMAGE = /\$\{RUNTIME_IMAGE\}/;

/** Installs what is missing if it can; otherwise says why no container can be run. */
export function missingPodman(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root runs containers by these settings';
  const missing = missingPrograms(['podman', 'runc'], ['podman', 'runc', 'buildah']);
  if (missing !== undefined) return missing;
  const { status, stderr } = spawnSync('podman', ['--storage-driver', 'vfs', 'info']);
  return status === 0 ? undefined : `podman info: ${String(stderr).trim()}`;
}

/** Containers and images of one test, which lie below its folder and go with it. */
export class Podman {
  readonly folder: string;
  readonly #options: readonly string[];

  constructor(folder: string) {
    this.folder = folder;
    this.#options = [
      ...['--root', join(folder, 'storage'), '--runroot', join(folder, 'run')],
      ...['--tmpdir', join(folder, 'tmp'), '--storage-driver', 'vfs'],
      // What a machine without systemd as its first process needs.
      ...['--runtime', '/usr/sbin/runc', '--cgroup-manager=cgroupfs', '--events-backend=none'],
    ];
  }

  /** @returns what it prints @throws with what it says when it fails */
  async call(...args: readonly string[]): Promise<string> {
    const all = [...this.#options, ...args];
    const { stdout } = await promisify(execFile)('podman', all, { maxBuffer: 2 ** 26 });
    return stdout.trim();
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.call(...args)) as T;
  }

  /** Builds the last stage of the recipe that is shipped, word for word but for its base. */
  async buildImage(): Promise<void> {
    const context = join(this.folder, 'context');
    mkdirSync(context);
    writeImageFiles(ROOT, join(context, 'image'));
    copyBase(join(context, 'base'));
    const recipe = readFileSync(join(ROOT, 'deploy/Containerfile'), 'utf8');
    const stage = recipe.slice(recipe.search(RUNTIME_STAGE));
    const file = (name: string, text: string): string => {
      const path = join(this.folder, name);
      writeFileSync(path, text);
      return path;
    };
    const build = (path: string, tag: string) =>
      this.call('build', '--format', 'docker', ...ULIMITS, '-t', tag, '-f', path, context);
    await build(file('base', 'FROM scratch\nCOPY base/ /\n'), BASE);
    const own = stage.replaceAll('--from=build ', '').replaceAll(' /image/', ' image/');
    await build(file('runtime', own.replace(BASE_IMAGE, BASE)), IMAGE);
  }

  async close(): Promise<void> {
    await this.call('rm', '--all', '--force', '--time', '0').catch(() => {});
    await this.call('volume', 'rm', '--all', '--force').catch(() => {});
  }
}

/** Node.js of this machine, the tools of the trainer's cage, and the libraries they load. */
function copyBase(target: string): void {
  const native = ['onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1'];
  const programs = [process.execPath, '/usr/bin/prlimit', '/usr/bin/setpriv'];
  const put = (path: string, at = path) => {
    mkdirSync(join(target, dirname(at)), { recursive: true });
    cpSync(realpathSync(path), join(target, at));
  };
  put(process.execPath, '/usr/bin/node');
  for (const path of programs.slice(1)) put(path);
  const loading = [...programs, ...native.map((path) => join(ROOT, 'node_modules', path))];
  for (const program of loading) {
    const text = execFileSync('ldd', [program], { encoding: 'utf8' });
    for (const [path] of text.matchAll(/\/\S*lib\S+/g)) {
      if (!path.includes('node_modules')) put(path);
    }
  }
  mkdirSync(join(target, 'tmp'), { mode: 0o1777 });
}
