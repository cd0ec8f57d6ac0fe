import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ProtocolError } from '@starling/core';

/** The daemon's bundle lies beside ours. */
const ENTRY = fileURLToPath(new URL('./daemon.js', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** What a daemon tells its parent, or how it ended before it could. */
export type Readiness =
  | { readonly kind: 'up' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'ended'; readonly how: string };

export interface SpawnOptions {
  readonly args: readonly string[];
  /** For standard output and standard error. */
  readonly output: 'inherit' | number;
  /** A session of its own: it outlives this process and its terminal. */
  readonly detached: boolean;
}

export function spawnDaemon({ args, output, detached }: SpawnOptions): ChildProcess {
  const stdio: StdioOptions = ['ignore', output, output, 'ipc'];
  return spawn(process.execPath, [ENTRY, ...args], { detached, stdio });
}

/** @throws ProtocolError when the daemon says nothing for a minute; it is killed then */
export async function readiness(child: ChildProcess): Promise<Readiness> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      const seconds = START_TIMEOUT_MS / 1000;
      reject(new ProtocolError('start', `the daemon did not come up within ${seconds} seconds`));
    }, START_TIMEOUT_MS);
    const settle = (outcome: Readiness) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.once('message', (message) => settle(message as Readiness));
    // After the channel is closed: a last message comes before it.
    child.once('close', () => settle({ kind: 'ended', how: endOf(child) }));
    child.once('error', ({ message }) => settle({ kind: 'failed', error: message }));
  });
}

/** Resolves with how the daemon ended; undefined when it ended well. */
export async function untilEnd(child: ChildProcess): Promise<string | undefined> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode === 0 ? undefined : endOf(child);
}

const endOf = ({ exitCode, signalCode }: ChildProcess): string =>
  signalCode === null ? `code ${exitCode}` : `signal ${signalCode}`;

/**
 * Hands our signals on, each once. A terminal sends SIGINT to the whole group by itself, and a
 * second one would end the daemon before it has put everything away.
 */
export function passSignals(child: ChildProcess): void {
  const passed = new Set<NodeJS.Signals>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (passed.has(signal) || (signal === 'SIGINT' && process.stdin.isTTY)) return;
      passed.add(signal);
      child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    });
  }
}
