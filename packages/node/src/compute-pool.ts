import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { InvariantError, ProtocolError } from '@starling/core';
import type { Compute, ComputeTasks, TaskName } from './compute.ts';
import { splitTask } from './splits.ts';
import { givenAway, movable } from './transfers.ts';

export interface ComputePoolOptions {
  /** Worker threads; one less than there are cores unless told, but at least 1 and at most 4. */
  readonly workers?: number;
  /** Tasks on vectors of so many words are split over the workers; 1,000,000 unless told. */
  readonly splitFromWords?: number;
}

const WORKERS_MAX = 4;

/** One piece of a task, queued or at a worker. */
interface Job {
  readonly name: TaskName;
  readonly input: unknown;
  readonly transfer: readonly ArrayBuffer[];
  readonly resolve: (output: never) => void;
  readonly reject: (error: Error) => void;
}
interface Answer {
  readonly output?: never;
  readonly error?: string;
  readonly code?: string;
}

/**
 * Kernels on worker threads, so that no turn of the daemon's loop grows with the model. Workers are
 * started when they are first needed, and each has one job at a time.
 * @param entry the bundled kernel-worker.ts
 */
export function createComputePool(entry: URL, options: ComputePoolOptions = {}): Compute {
  return new ComputePool(entry, options);
}

class ComputePool implements Compute {
  readonly #entry: URL;
  readonly #size: number;
  readonly #splitFromWords: number | undefined;
  readonly #queue: Job[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Job>();
  #closed = false;

  constructor(entry: URL, { workers, splitFromWords }: ComputePoolOptions) {
    this.#entry = entry;
    // One core is left to the loop and the trainer.
    this.#size = workers ?? Math.max(1, Math.min(WORKERS_MAX, availableParallelism() - 1));
    this.#splitFromWords = splitFromWords;
  }

  async run<N extends TaskName>(
    name: N,
    input: ComputeTasks[N]['in'],
  ): Promise<ComputeTasks[N]['out']> {
    const split = { workers: this.#size, fromWords: this.#splitFromWords };
    const { inputs, join } = splitTask(name, input, split);
    return join(await Promise.all(inputs.map((each) => this.#enqueue(name, each))));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const jobs = [...this.#busy.values(), ...this.#queue.splice(0)];
    const workers = [...this.#busy.keys(), ...this.#idle.splice(0)];
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
    for (const { reject } of jobs) reject(isStopping());
  }

  #enqueue<N extends TaskName>(
    name: N,
    input: ComputeTasks[N]['in'],
  ): Promise<ComputeTasks[N]['out']> {
    if (this.#closed) return Promise.reject(isStopping());
    const transfer = movable(givenAway(name, input));
    return new Promise((resolve, reject) => {
      this.#queue.push({ name, input, transfer, resolve, reject });
      this.#assign();
    });
  }

  /** Gives waiting jobs to idle workers, and starts workers while there are too few. */
  #assign(): void {
    while (this.#queue.length > 0) {
      const free = this.#idle.pop();
      if (free === undefined && this.#busy.size >= this.#size) return;
      const worker = free ?? this.#start();
      const job = this.#queue.shift()!;
      this.#busy.set(worker, job);
      worker.postMessage({ name: job.name, input: job.input }, job.transfer);
    }
  }

  #start(): Worker {
    const worker = new Worker(this.#entry);
    worker.unref();
    worker.on('message', ({ output, error, code }: Answer) => {
      const job = this.#busy.get(worker);
      if (job === undefined) return;
      this.#busy.delete(worker);
      this.#idle.push(worker);
      if (error === undefined) job.resolve(output as never);
      else if (code !== undefined) job.reject(new ProtocolError(code, error));
      else job.reject(new InvariantError(error));
      this.#assign();
    });
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', (code) => {
      this.#lose(worker, new InvariantError(`a kernel worker ended with ${code}`));
    });
    return worker;
  }

  /** A worker is gone; its job fails, the others go on, and another worker takes its place. */
  #lose(worker: Worker, error: Error): void {
    const job = this.#busy.get(worker);
    this.#busy.delete(worker);
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    job?.reject(error);
    this.#assign();
  }
}

const isStopping = (): Error => new ProtocolError('closed', 'the node is stopping');
