import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { errorMessage, type Log, ProtocolError } from '@starling/core';
import type { CagedCommand } from './cage.ts';
import type {
  ChildNews,
  ChildRequest,
  ChildResults,
  NewsEnvelope,
  RequestEnvelope,
  ResponseEnvelope,
} from './child-protocol.ts';
import type { ControlGroup } from './control-group.ts';
import { DutyCycle } from './duty-cycle.ts';
import { mebibytes, residentBytes, type TrainerLimits } from './limits.ts';

/** Why a child ended, as far as its job is to blame. */
export type DeathCause = 'out of memory' | 'time limit' | 'crash';

export interface ChildOptions {
  readonly command: CagedCommand;
  readonly limits: TrainerLimits;
  readonly log: Log;
  /** Called once, at the end of a life that `kill` did not end. */
  readonly onDeath: (cause: DeathCause) => void;
}

interface Waiting {
  readonly timer: NodeJS.Timeout;
  readonly onNews: ((news: ChildNews) => void) | undefined;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

const WAITING_MAX = 256;
const STDERR_KEPT = 2000;
/** How often the memory of a child at work is looked at. */
const WATCH_MS = 100;
/** What V8 and C++ say when the kernel refuses them memory. */
const MEMORY_WORDS = /out of memory|allocation failed|bad_alloc/i;

/** One life of a trainer child: from start to exit. A dead one is replaced, never revived. */
export class TrainerChild {
  readonly #process: ChildProcess;
  readonly #limits: TrainerLimits;
  readonly #onDeath: (cause: DeathCause) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  readonly #group: ControlGroup | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly #duty: DutyCycle;
  #nextId = 0;
  #alive = true;
  #wanted = false;
  #stderr = '';
  /** Why we killed it. */
  #sentence: { readonly cause: DeathCause; readonly message: string } | undefined;

  constructor({ command, limits, log, onDeath }: ChildOptions) {
    this.#limits = limits;
    this.#onDeath = onDeath;
    this.#group = command.group;
    this.#process = spawn(command.command, command.args, {
      serialization: 'advanced',
      env: command.env,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#duty = new DutyCycle(limits.cpuShare, (signal) => this.#process.kill(signal));
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#process.on('message', (message: ResponseEnvelope | NewsEnvelope) =>
      'news' in message
        ? this.#waiting.get(message.id)?.onNews?.(message.news)
        : this.#settle(message),
    );
    this.#ended = new Promise((resolve) => {
      const end = (cause: string) => {
        this.#end(cause);
        resolve(this.#group?.remove());
      };
      this.#process.once('close', (code, signal) => end(signal ?? `exit code ${code}`));
      this.#process.once('error', (error) => end(errorMessage(error)));
    });
    this.#lowerPriority(limits.nice, log);
    log.debug('trainer child started', { pid: this.#process.pid, isolation: command.isolation });
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * @param onNews told of progress and checkpoints until the answer is there
   * @param milliseconds a run cannot be cancelled: a request that takes longer kills the child
   * @throws ProtocolError with the child's code, or `trainer-died`, or `trainer-busy`
   */
  request<R extends ChildRequest>(
    request: R,
    milliseconds = 1000 * this.#limits.secondsPerRequest,
    onNews?: (news: ChildNews) => void,
  ): Promise<ChildResults[R['kind']]> {
    if (!this.#alive)
      return Promise.reject(new ProtocolError('trainer-died', 'the child has ended'));
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new ProtocolError('trainer-busy', `${WAITING_MAX} requests wait`));
    }
    const id = this.#nextId++;
    this.#watch ??= setInterval(() => this.#checkMemory(), WATCH_MS);
    this.#duty.start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const message = `no answer to ${request.kind} within ${milliseconds / 1000} s`;
        this.#condemn('time limit', message);
      }, milliseconds);
      this.#waiting.set(id, { resolve, reject, timer, onNews });
      const envelope: RequestEnvelope = { id, request };
      // A failed send means a dead child, which its end reports to all who wait.
      this.#process.send(envelope, () => {});
    });
  }

  /** Kills the child, mid-run if need be. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#wanted = true;
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  #settle(response: ResponseEnvelope): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    clearTimeout(waiting?.timer);
    if (this.#waiting.size === 0) this.#unwatch();
    if (response.ok) {
      waiting?.resolve(response.result as never);
      return;
    }
    const { code, message } = response;
    waiting?.reject(new ProtocolError(code, message));
    // Native code that ran out of memory may have left anything behind: it starts afresh.
    if (code === 'out-of-memory') this.#condemn('out of memory', message);
  }

  #condemn(cause: DeathCause, message: string): void {
    this.#sentence ??= { cause, message };
    this.#process.kill('SIGKILL');
  }

  /** The last resort, where the kernel does not refuse the memory itself. */
  #checkMemory(): void {
    const bytes = this.pid === undefined ? undefined : residentBytes(this.pid);
    if (bytes === undefined || bytes <= this.#limits.memory) return;
    const limit = mebibytes(this.#limits.memory);
    this.#condemn('out of memory', `it holds ${mebibytes(bytes)} of at most ${limit}`);
  }

  #unwatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#duty.stop();
  }

  #end(ending: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#unwatch();
    const said = this.#sentence?.message ?? this.#lastWords();
    const message = `the trainer child ended (${ending})${said === '' ? '' : `: ${said}`}`;
    if (!this.#wanted) this.#onDeath(this.#sentence?.cause ?? this.#ownCause());
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new ProtocolError('trainer-died', message));
    }
    this.#waiting.clear();
  }

  /** A process that the kernel ended for its memory cannot say so itself. */
  #lastWords(): string {
    if (!this.#group?.ranOutOfMemory()) return this.#stderr.trim();
    return `out of memory: it may hold ${mebibytes(this.#limits.memory)}`;
  }

  #ownCause(): DeathCause {
    if (this.#group?.ranOutOfMemory()) return 'out of memory';
    return MEMORY_WORDS.test(this.#stderr) ? 'out of memory' : 'crash';
  }

  #lowerPriority(nice: number, log: Log): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      setPriority(pid, nice);
    } catch (error) {
      // Training at normal priority is better than none; some sandboxes forbid the call.
      log.warn('cannot lower the priority of the trainer child', { error: errorMessage(error) });
    }
  }
}
