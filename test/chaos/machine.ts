import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ControlClient, controlSocket, createControlClient } from '@starling/control';
import type { ConfigInput } from '@starling/daemon';
import { installed } from '../helpers/debian.ts';
import { until } from '../helpers/until.ts';
import { type Host, missingNamespaces } from '../network/namespaces.ts';

const ENTRY = fileURLToPath(new URL('../../apps/cli/dist/daemon.js', import.meta.url));
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const START_MS = 60_000;
const PORT = 4001;

/** What a machine of a chaos run has beside its daemon. */
export interface MachineOptions {
  readonly directory: string;
  readonly host: Host;
  readonly config: ConfigInput;
  /** Bytes of a file system of its own for the state; the common one when absent. */
  readonly diskBytes?: number | undefined;
  /** Whether its wall clock can be set: needs libfaketime. */
  readonly hasClock: boolean;
}

/** Why there can be no chaos here, or undefined; installs what is missing if it can. */
export const missingForChaos = (): string | undefined =>
  missingNamespaces() ??
  installed(['faketime'], () => existsSync(FAKETIME), 'the clock needs libfaketime');

/** One daemon of a chaos run: its own host, its own disk, perhaps its own clock. */
export class Machine {
  readonly name: string;
  readonly state: string;
  readonly address: string;
  readonly client: ControlClient;
  readonly #options: MachineOptions;
  #child: ChildProcess | undefined;
  #isStarting = false;
  /** Ends of the process that nobody here asked for. */
  readonly unasked: string[] = [];
  #isEnding = false;
  peer = '';

  constructor(name: string, options: MachineOptions) {
    this.name = name;
    this.#options = options;
    this.state = `${options.directory}/${name}`;
    this.address = `/ip4/${options.host.address}/tcp/${PORT}`;
    this.client = createControlClient(controlSocket(this.state));
    mkdirSync(this.state, { recursive: true, mode: 0o700 });
    if (options.hasClock) this.setClock(0);
    if (options.diskBytes === undefined) return;
    const size = `size=${options.diskBytes},mode=700`;
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', this.state]);
    if (status !== 0) throw new Error(`${this.state} has no disk of its own: ${stderr}`);
  }

  get log(): string {
    return `${this.state}.log`;
  }

  get host(): Host {
    return this.#options.host;
  }

  get hasOwnDisk(): boolean {
    return this.#options.diskBytes !== undefined;
  }

  get hasClock(): boolean {
    return this.#options.hasClock;
  }

  /** Whether its process runs, stopped or not. */
  get isAlive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts the daemon on what the disk holds; resolves when it answers. */
  async start(): Promise<void> {
    if (this.isAlive || this.#isStarting) return;
    this.#isStarting = true;
    try {
      this.#spawn();
      const child = this.#child!;
      await until(
        async () => {
          if (!this.isAlive) throw new Error(`${this.name} has ended: see ${this.log}`);
          const status = await this.client.status().catch(() => undefined);
          if (status === undefined) return false;
          this.peer = status.peerId;
          return status.pid === child.pid;
        },
        START_MS,
        `${this.name} answers`,
      );
    } finally {
      this.#isStarting = false;
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isAlive) return;
    this.#isEnding = true;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** SIGSTOP or SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** @param seconds by which its wall clock differs from this machine's, from now on */
  setClock(seconds: number): void {
    writeFileSync(this.#clock, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  /** Ends the daemon and takes its disk away. */
  async close(): Promise<void> {
    await this.end('SIGKILL');
    if (this.hasOwnDisk) spawnSync('umount', ['--lazy', this.state]);
  }

  get #clock(): string {
    return `${this.state}.clock`;
  }

  #spawn(): void {
    const { host, config } = this.#options;
    const own: ConfigInput = {
      listen: [this.address],
      // Its address counts as public, and libp2p keeps those to itself.
      announce: [this.address],
      mdns: false,
      ...config,
    };
    const log = openSync(this.log, 'a');
    const args = [ENTRY, '--state', this.state, '--set', JSON.stringify(own)];
    const clock = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: this.#clock,
      FAKETIME_CACHE_DURATION: '1',
      // The monotonic clock of a real machine does not jump either.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
    const inside = ['netns', 'exec', host.namespace, process.execPath, ...args];
    const env = { ...process.env, ...(this.hasClock && clock) };
    const child = spawn('ip', inside, { stdio: ['ignore', 'ignore', log], env });
    closeSync(log);
    this.#isEnding = false;
    this.#child = child;
    child.once('exit', (code, signal) => {
      if (!this.#isEnding) this.unasked.push(signal ?? `code ${code}`);
    });
  }
}
