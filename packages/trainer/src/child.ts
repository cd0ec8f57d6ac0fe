import { type ChildProcess, fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { errorMessage, type Log, ProtocolError } from '@starling/core';
import type {
  ChildRequest,
  ChildResults,
  RequestEnvelope,
  ResponseEnvelope,
} from './child-protocol.ts';

export interface ChildOptions {
  /** The bundled `child-main`. */
  readonly entry: URL;
  /** Niceness of the child, 0 to 19. */
  readonly niceness: number;
  /** A run cannot be cancelled: a request that takes longer kills the child. */
  readonly timeoutMs: number;
  readonly log: Log;
}

interface Waiting {
  readonly timer: NodeJS.Timeout;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

const WAITING_MAX = 256;
const STDERR_KEPT = 2000;
/** The child trains foreign models: it gets no more of the environment than it needs. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'NODE_EXTRA_CA_CERTS'];

/** One life of the trainer child: from fork to exit. A dead one is replaced, never revived. */
export class TrainerChild {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  readonly #timeoutMs: number;
  #nextId = 0;
  #alive = true;
  #stderr = '';

  constructor({ entry, niceness, timeoutMs, log }: ChildOptions) {
    this.#timeoutMs = timeoutMs;
    this.#process = fork(fileURLToPath(entry), {
      serialization: 'advanced',
      execArgv: [],
      env: Object.fromEntries(ENVIRONMENT.map((name) => [name, process.env[name]])),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#process.on('message', (response: ResponseEnvelope) => this.#settle(response));
    this.#ended = new Promise((resolve) => {
      const end = (cause: string) => {
        this.#end(cause);
        resolve();
      };
      this.#process.once('close', (code, signal) => end(signal ?? `exit code ${code}`));
      this.#process.once('error', (error) => end(errorMessage(error)));
    });
    this.#lowerPriority(niceness, log);
    log.debug('trainer child started', { pid: this.#process.pid });
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** @throws ProtocolError with the child's code, or `trainer-died`, or `trainer-busy` */
  request<R extends ChildRequest>(request: R): Promise<ChildResults[R['kind']]> {
    if (!this.#alive)
      return Promise.reject(new ProtocolError('trainer-died', 'the child has ended'));
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new ProtocolError('trainer-busy', `${WAITING_MAX} requests wait`));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#stderr = `no answer to ${request.kind} within ${this.#timeoutMs} ms`;
        this.#process.kill('SIGKILL');
      }, this.#timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      const envelope: RequestEnvelope = { id, request };
      // A failed send means a dead child, which its end reports to all who wait.
      this.#process.send(envelope, () => {});
    });
  }

  /** Kills the child, mid-run if need be. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  #settle(response: ResponseEnvelope): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    clearTimeout(waiting?.timer);
    if (response.ok) waiting?.resolve(response.result as never);
    else waiting?.reject(new ProtocolError(response.code, response.message));
  }

  #end(cause: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    const said = this.#stderr.trim();
    const message = `the trainer child ended (${cause})${said === '' ? '' : `: ${said}`}`;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new ProtocolError('trainer-died', message));
    }
    this.#waiting.clear();
  }

  #lowerPriority(niceness: number, log: Log): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      setPriority(pid, niceness);
    } catch (error) {
      // Training at normal priority is better than none; some sandboxes forbid the call.
      log.warn('cannot lower the priority of the trainer child', { error: errorMessage(error) });
    }
  }
}
