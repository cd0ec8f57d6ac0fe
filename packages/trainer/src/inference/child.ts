import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Duplex } from 'node:stream';
import { errorMessage, type Log, ProtocolError } from '@starling/core';
import type { CagedCommand } from '../cage.ts';
import { mebibytes, residentBytes, type TrainerLimits } from '../limits.ts';
import {
  CHANNEL,
  type Frame,
  FrameReader,
  frameStart,
  type InferenceAnswer,
  type InferenceRequest,
} from './frames.ts';

export interface InferenceChildOptions {
  readonly command: CagedCommand;
  readonly limits: TrainerLimits;
  readonly log: Log;
  /** Called once, at the end of a life that `kill` did not end. */
  readonly onDeath: () => void;
}

interface Waiting {
  readonly milliseconds: number;
  readonly resolve: (answer: Frame<InferenceAnswer>) => void;
  readonly reject: (error: Error) => void;
}

const STDERR_KEPT = 2000;
const WATCH_MS = 250;

/**
 * One life of an inference child. Requests are answered in their order; when the child dies, the
 * one it was at is rejected with `model-crashed`, those behind it with `not-begun`.
 */
export class InferenceChild {
  readonly #options: InferenceChildOptions;
  readonly #process: ChildProcess;
  readonly #channel: Duplex;
  readonly #ended: Promise<void>;
  readonly #watch: NodeJS.Timeout;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #alive = true;
  #wanted = false;
  #stderr = '';
  /** Why we killed it. */
  #sentence: string | undefined;

  constructor(options: InferenceChildOptions) {
    this.#options = options;
    const { command, limits, log } = options;
    this.#process = spawn(command.command, command.args, {
      env: command.env,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#channel = this.#process.stdio[CHANNEL] as Duplex;
    const reader = new FrameReader<InferenceAnswer>((frame) => this.#settle(frame));
    this.#channel.on('data', (chunk: Uint8Array) => {
      try {
        reader.push(chunk);
      } catch (error) {
        // A model that took its process over may say anything.
        this.#condemn(`it said what is no answer (${errorMessage(error)})`);
      }
    });
    // A write into a dead child; its end tells all who wait.
    this.#channel.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      const end = (cause: string) => {
        this.#end(cause);
        resolve(command.group?.remove());
      };
      this.#process.once('close', (code, signal) => end(signal ?? `exit code ${code}`));
      this.#process.once('error', (error) => end(errorMessage(error)));
    });
    this.#watch = setInterval(() => this.#checkMemory(), WATCH_MS);
    this.#setPriority(limits.nice, log);
    log.debug('inference child started', { pid: this.pid, isolation: command.isolation });
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * @param pieces the body, written as they are, without putting them together
   * @param milliseconds from the answer before it on: a run cannot be cancelled, so the child is
   *   killed
   * @throws ProtocolError `model-crashed`, `not-begun`, or with the code that the child gave
   */
  request(
    header: InferenceRequest,
    pieces: readonly Uint8Array[],
    milliseconds: number,
  ): Promise<Frame<InferenceAnswer>> {
    if (!this.#alive) return Promise.reject(new ProtocolError('not-begun', 'the child has ended'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ milliseconds, resolve, reject });
      if (this.#waiting.length === 1) this.#startTimer();
      const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
      this.#channel.cork();
      this.#channel.write(frameStart(header, bytes));
      for (const piece of pieces) this.#channel.write(piece);
      this.#channel.uncork();
    });
  }

  /** Kills the child, mid-run if need be. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#wanted = true;
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  #settle(frame: Frame<InferenceAnswer>): void {
    const first = this.#waiting.shift();
    if (first === undefined) throw new ProtocolError('frame', 'nobody asked');
    this.#startTimer();
    const { header } = frame;
    if (header.kind === 'failed') first.reject(new ProtocolError(header.code, header.message));
    else first.resolve(frame);
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { milliseconds } = first;
    this.#timer = setTimeout(
      () => this.#condemn(`no answer within ${milliseconds / 1000} s`),
      milliseconds,
    );
  }

  #condemn(message: string): void {
    this.#sentence ??= message;
    this.#process.kill('SIGKILL');
  }

  /** The last resort, where the kernel does not refuse the memory itself. */
  #checkMemory(): void {
    const { memory } = this.#options.limits;
    const bytes = this.pid === undefined ? undefined : residentBytes(this.pid);
    if (bytes === undefined || bytes <= memory) return;
    this.#condemn(`it holds ${mebibytes(bytes)} of at most ${mebibytes(memory)}`);
  }

  #end(ending: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    clearInterval(this.#watch);
    clearTimeout(this.#timer);
    const { log, onDeath, command } = this.#options;
    const said = command.group?.ranOutOfMemory() ? 'out of memory' : this.#stderr.trim();
    const why = this.#sentence ?? said;
    const message = `the process of the model ended (${ending})${why === '' ? '' : `: ${why}`}`;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [i, { reject }] of waiting.entries()) {
      reject(new ProtocolError(i === 0 ? 'model-crashed' : 'not-begun', message));
    }
    if (this.#wanted) return;
    log.warn('an inference child died', { ending, why });
    onDeath();
  }

  #setPriority(nice: number, log: Log): void {
    if (this.pid === undefined || nice === 0) return;
    try {
      setPriority(this.pid, nice);
    } catch (error) {
      log.warn('cannot lower the priority of an inference child', { error: errorMessage(error) });
    }
  }
}
