import { type Log, ProtocolError } from '@starling/core';
import type { ModelDescription, PreparedJob, Trainer, TrainerJob } from '@starling/rounds';
import { TrainerChild } from './child.ts';
import type { ChildRequest, ChildResults } from './child-protocol.ts';
import { type Dataset, type DatasetCatalog, matchSchema } from './dataset.ts';

export interface TrainerOptions {
  /** The bundled `child-main`, for instance `dist/trainer-child.js`. */
  readonly childEntry: URL;
  readonly datasets: DatasetCatalog;
  readonly log: Log;
  /** Threads for one operator; 1 unless told. */
  readonly threads?: number;
  /** Niceness of the child; 10 unless told. */
  readonly niceness?: number;
  /** A request that takes longer costs the child its life; one hour unless told. */
  readonly timeoutMs?: number;
}

/** A Trainer that owns a process. */
export interface ProcessTrainer extends Trainer {
  /** Process id of the child, undefined when none runs. */
  readonly pid: number | undefined;
  /** Kills the child; runs in flight reject with `trainer-died`. */
  close(): Promise<void>;
}

/**
 * Trains in a child process that is forked when first needed and replaced when it dies; jobs
 * prepared before are prepared again in the new one, without their holder noticing.
 */
export function createTrainer(options: TrainerOptions): ProcessTrainer {
  return new ChildTrainer(options);
}

class ChildTrainer implements ProcessTrainer {
  readonly #options: TrainerOptions;
  #child: TrainerChild | undefined;
  #nextHandle = 0;
  #closed = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.alive ? this.#child.pid : undefined;
  }

  async describe(model: Uint8Array, frozen: readonly string[]): Promise<ModelDescription> {
    return this.#living().request({ kind: 'describe', model, frozen });
  }

  async prepare(job: TrainerJob): Promise<PreparedJob> {
    const dataset = this.#options.datasets.get(job.dataset);
    if (dataset === undefined) {
      throw new ProtocolError('data-mismatch', `there is no data set "${job.dataset}"`);
    }
    const match = matchSchema(job.data, dataset);
    if (!match.ok) throw new ProtocolError('data-mismatch', match.reason);
    const remote = new RemoteJob(() => this.#living(), this.#prepareRequest(job, dataset));
    const { layout, initial } = await remote.prepared();
    return {
      layout,
      initial,
      train: (vector, seed, context) =>
        remote.ask((handle) => ({ kind: 'train', handle, vector, seed, context })),
      evaluate: (vector, examplesMax) =>
        remote.ask((handle) => ({ kind: 'evaluate', handle, vector, examplesMax })),
      close: () => remote.close(),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#child?.kill();
    this.#child = undefined;
  }

  #prepareRequest(job: TrainerJob, { path }: Dataset): PrepareRequest {
    const { threads = 1 } = this.#options;
    return { kind: 'prepare', handle: this.#nextHandle++, job, datasetPath: path, threads };
  }

  #living(): TrainerChild {
    if (this.#closed) throw new ProtocolError('trainer-died', 'the trainer is closed');
    if (this.#child === undefined || !this.#child.alive) {
      const { childEntry, log, niceness = 10, timeoutMs = 3_600_000 } = this.#options;
      if (this.#child !== undefined) log.warn('the trainer child died; starting another');
      this.#child = new TrainerChild({ entry: childEntry, niceness, timeoutMs, log });
    }
    return this.#child;
  }
}

type PrepareRequest = Extract<ChildRequest, { kind: 'prepare' }>;

/** A job as the child holds it; prepared again when the child is another one. */
class RemoteJob {
  readonly #living: () => TrainerChild;
  readonly #request: PrepareRequest;
  #preparedIn: TrainerChild | undefined;
  #prepared: Promise<ModelDescription> | undefined;

  constructor(living: () => TrainerChild, request: PrepareRequest) {
    this.#living = living;
    this.#request = request;
  }

  prepared(): Promise<ModelDescription> {
    const child = this.#living();
    if (this.#prepared === undefined || this.#preparedIn !== child) {
      this.#preparedIn = child;
      this.#prepared = child.request(this.#request);
      // What failed once may work later: a data set that comes back, another child.
      this.#prepared.catch(() => {
        this.#prepared = undefined;
      });
    }
    return this.#prepared;
  }

  async ask<R extends ChildRequest>(
    build: (handle: number) => R,
  ): Promise<ChildResults[R['kind']]> {
    await this.prepared();
    // The child that prepared may have died just now: then this rejects, and the next call
    // recovers.
    return this.#preparedIn!.request(build(this.#request.handle));
  }

  async close(): Promise<void> {
    if (!this.#preparedIn?.alive) return;
    await this.#preparedIn.request({ kind: 'close', handle: this.#request.handle });
  }
}
