import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SwarmOptions, SwarmStatus } from '@starling/swarm';

const CHILD = fileURLToPath(new URL('../helpers/children/network-peer.ts', import.meta.url));

type Status = SwarmStatus & { readonly addresses: readonly string[] };

/** A peer in a process of its own; see `helpers/children/network-peer.ts`. */
export class NetworkPeer {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  /** @param fill the byte that fills its seed */
  constructor(fill: number, options: Partial<SwarmOptions>, namespace?: string) {
    const node = [process.execPath, '--import', 'tsx', CHILD, JSON.stringify({ ...options, fill })];
    const [program, ...args] =
      namespace === undefined ? node : ['ip', 'netns', 'exec', namespace, ...node];
    this.#child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface(this.#child.stdout!)[Symbol.asyncIterator]();
  }

  status(): Promise<Status> {
    return this.#ask<Status>({ do: 'status' });
  }

  /** Megabytes a second at which `bytes` came from a peer in one request. */
  async speed(from: string, bytes: number): Promise<number> {
    const { ms } = await this.#ask<{ ms: number }>({ do: 'fetch', from, bytes });
    return bytes / 1000 / ms;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    await gone;
  }

  /** One question at a time: answers carry no name. */
  #ask<T>(order: object): Promise<T> {
    const answer = this.#last.then(async () => {
      this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error('the peer has ended');
      const parsed = JSON.parse(value) as T & { error?: string };
      if (parsed.error !== undefined) throw new Error(parsed.error);
      return parsed;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }
}
