import { type ChildProcess, fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import type { PeerId } from '@starling/core';
import type { DemoMessage, DemoStart, KillPlan } from '@starling/daemon';

/** One daemon of the demo: a process, and what it has told so far. */
export class PeerProcess {
  readonly index: number;
  readonly start: DemoStart;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(message: DemoMessage) => void>();
  /** How the process ended; undefined while it runs. */
  exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  peer: PeerId | undefined;
  addresses: readonly string[] = [];
  socket = '';
  peers = 0;

  constructor(index: number, entry: URL, start: DemoStart) {
    this.index = index;
    this.start = start;
    this.#child = fork(entry, [], {
      serialization: 'advanced',
      // Whatever this process was started with: the daemon is a bundle and needs no loader.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const log = createWriteStream(`${start.stateDirectory}.log`, { flags: 'a' });
    this.#child.stderr!.pipe(log);
    this.#child.on('message', (message: DemoMessage) => this.#take(message));
    this.#child.on('exit', (code, signal) => {
      this.exit = { code, signal };
      this.#tell({ kind: 'failed', error: `ended with ${signal ?? `code ${code}`}` });
    });
    this.#child.send(start);
  }

  get isAlive(): boolean {
    return this.exit === undefined;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get kill(): KillPlan | undefined {
    return this.start.kill;
  }

  onMessage(listen: (message: DemoMessage) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  /** Resolves when `condition` holds after some message; rejects when the process ends before. */
  until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (condition()) resolve();
        else if (!this.isAlive) reject(new Error(`peer ${this.index} ended before ${what}`));
        else return;
        leave();
      };
      const leave = this.onMessage(check);
      check();
    });
  }

  /** Sends a signal and resolves when the process is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isAlive) return;
    const gone = new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
    });
    this.#child.kill(signal);
    await gone;
  }

  #take(message: DemoMessage): void {
    if (message.kind === 'up') {
      this.peer = message.peer;
      this.addresses = message.addresses;
      this.socket = message.socket;
    }
    if (message.kind === 'peers') this.peers = message.count;
    this.#tell(message);
  }

  #tell(message: DemoMessage): void {
    for (const listener of [...this.#listeners]) listener(message);
  }
}
