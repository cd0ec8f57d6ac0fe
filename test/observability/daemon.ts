import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type ControlClient, controlSocket, createControlClient } from '@starling/control';
import type { ConfigInput } from '@starling/daemon';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { temporaryDirectory } from '../helpers/temporary.ts';

const ENTRY = fileURLToPath(new URL('../../apps/cli/dist/daemon.js', import.meta.url));

/** A real daemon as `starling up` starts it, with its log in a file. */
export class LoggedDaemon {
  readonly state: string;
  readonly client: ControlClient;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  private constructor(state: string, child: ChildProcess) {
    this.state = state;
    this.client = createControlClient(controlSocket(state));
    this.#child = child;
    this.#gone = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  /** @param prepare told the state directory before the daemon is started */
  static async start(
    config: ConfigInput,
    prepare: (state: string) => Promise<void> = async () => {},
  ): Promise<LoggedDaemon> {
    const root = await temporaryDirectory();
    const [state, file, log] = ['state', 'starling.yaml', 'log'].map((name) => join(root, name));
    const all = { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'], log: 'debug', ...config };
    writeFileSync(file!, stringify(all));
    await prepare(state!);
    const lines = openSync(log!, 'a');
    const child = fork(ENTRY, ['--state', state!, '--config', file!], {
      execArgv: [],
      stdio: ['ignore', 'ignore', lines, 'ipc'],
    });
    closeSync(lines);
    const daemon = new LoggedDaemon(state!, child);
    onTestFinished(() => daemon.stop());
    const told = await new Promise<unknown>((resolve) => {
      child.once('message', resolve);
      child.once('exit', () => resolve({ kind: 'ended' }));
    });
    const isUp = typeof told === 'object' && told !== null && 'kind' in told && told.kind === 'up';
    if (!isUp) throw new Error(`the daemon did not start: ${daemon.log}`);
    return daemon;
  }

  get log(): string {
    return readFileSync(join(this.state, '..', 'log'), 'utf8');
  }

  /** The text of a route of the API outside of `/v1`. @throws unless the answer is 200 */
  get(path: '/metrics' | '/health' | '/ready'): Promise<string> {
    const target = { socketPath: controlSocket(this.state), path };
    return new Promise((resolve, reject) => {
      const asked = request(target, (answer) => {
        if (answer.statusCode === 200) resolve(text(answer));
        else reject(new Error(`${path} answers ${answer.statusCode}`));
      });
      asked.once('error', reject);
      asked.end();
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await this.#gone;
  }
}
