import { realpath } from 'node:fs/promises';
import { type Log, ProtocolError } from '@starling/core';
import type {
  ClientUpdate,
  ModelDescription,
  PreparedJob,
  Trainer,
  TrainerJob,
  TrainingContext,
  TrainingProgress,
} from '@starling/rounds';
import { type CageSupport, cagedCommand, describeCage, probeCage } from './cage.ts';
import type { TrainerChild } from './child.ts';
import type {
  ChildNews,
  ChildRequest,
  ChildResults,
  NewsSeconds,
  PreparedDescription,
} from './child-protocol.ts';
import type { ReadingPlan } from './data/reading-plan.ts';
import { type DatasetCatalog, matchSchema } from './dataset.ts';
import { type GivenLimits, limitsOf, runMilliseconds, type TrainerLimits } from './limits.ts';
import { Lives } from './lives.ts';
import type { Checkpoint } from './local-training.ts';

export interface TrainerOptions {
  /** The bundled `child-main`, for instance `dist/trainer-child.js`. */
  readonly childEntry: URL;
  readonly datasets: DatasetCatalog;
  readonly log: Log;
  /** What one child may take; `limitsOf` has the defaults. */
  readonly limits?: GivenLimits;
  /** Least seconds between two pieces of news of a training: 2 for progress, 30 for checkpoints. */
  readonly newsSeconds?: Partial<NewsSeconds>;
  /** Milliseconds before a child that died is replaced, doubled each time; 1000 unless told. */
  readonly backoffMs?: number;
}

/** A Trainer that owns processes, one for each job. */
export interface ProcessTrainer extends Trainer {
  /** Process ids of the children. */
  readonly pids: readonly number[];
  /** The limits in force on this machine, a line each. */
  cage(): Promise<readonly string[]>;
  /** Kills the children; runs in flight reject with `trainer-died`. */
  close(): Promise<void>;
}

/**
 * Trains each job in a child process of its own, shut in as well as the platform allows. A child
 * that dies is replaced at the next call, which prepares the job again without its holder noticing.
 */
export function createTrainer(options: TrainerOptions): ProcessTrainer {
  return new ChildTrainer(options);
}

class ChildTrainer implements ProcessTrainer {
  readonly #options: TrainerOptions;
  readonly #limits: TrainerLimits;
  readonly #lives = new Set<Lives>();
  #support: Promise<CageSupport> | undefined;
  #closed = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#limits = limitsOf(options.limits);
  }

  get pids(): readonly number[] {
    return [...this.#lives].flatMap(({ pid }) => pid ?? []);
  }

  async cage(): Promise<readonly string[]> {
    return describeCage(await this.#supported(), this.#limits);
  }

  async describe(model: Uint8Array, frozen: readonly string[]): Promise<ModelDescription> {
    const lives = this.#open();
    try {
      return await (await lives.living()).request({ kind: 'describe', model, frozen });
    } finally {
      await this.#end(lives);
    }
  }

  async prepare(job: TrainerJob): Promise<PreparedJob> {
    const dataset = this.#options.datasets.get(job.dataset);
    if (dataset === undefined) {
      throw new ProtocolError('data-mismatch', `there is no data set "${job.dataset}"`);
    }
    const match = matchSchema(job.data, dataset);
    if (!match.ok) throw new ProtocolError('data-mismatch', match.reason);
    const { plan, augment } = dataset;
    const path = await placeOf(dataset.path);
    const lives = this.#open([path, ...(await otherFiles(plan))]);
    const { cpuThreads: threads, memory } = this.#limits;
    const data = { path, plan, augment };
    const request = { kind: 'prepare', job, data, threads, memory } as const;
    const remote = new RemoteJob(lives, request, this.#options.log);
    try {
      const { layout, initial } = await remote.prepared();
      return {
        layout,
        initial,
        train: (vector, seed, context, onProgress) =>
          remote.train({
            ...{ vector, seed, context, onProgress },
            seconds: { ...NEWS_SECONDS, ...this.#options.newsSeconds },
            milliseconds: ({ steps }) => runMilliseconds(this.#limits, steps),
          }),
        evaluate: (vector, examplesMax) => remote.ask({ kind: 'evaluate', vector, examplesMax }),
        close: () => this.#end(lives),
      };
    } catch (error) {
      await this.#end(lives);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#lives].map((lives) => this.#end(lives)));
  }

  #supported(): Promise<CageSupport> {
    this.#support ??= probeCage(this.#options.childEntry).then((support) => {
      const { log } = this.#options;
      for (const line of support.missing) log.warn('the cage of the trainer is open', { line });
      return support;
    });
    return this.#support;
  }

  /** @param data what a job may read beside its code: paths, or addresses in the network */
  #open(data: readonly string[] = []): Lives {
    if (this.#closed) throw new ProtocolError('trainer-died', 'the trainer is closed');
    const { childEntry: entry, log, backoffMs = 1000 } = this.#options;
    const network = data.some(isAddress);
    const contents = { entry, network, readable: network ? [] : data };
    const command = async () => cagedCommand(await this.#supported(), this.#limits, contents);
    const lives = new Lives({ command, limits: this.#limits, log, backoffMs });
    this.#lives.add(lives);
    return lives;
  }

  async #end(lives: Lives): Promise<void> {
    this.#lives.delete(lives);
    await lives.close();
  }
}

const isAddress = (path: string): boolean => /^[a-z0-9+.-]+:\/\//i.test(path);

/** Without symbolic links, which would lead out of the cage. What is missing fails when read. */
async function placeOf(path: string): Promise<string> {
  return isAddress(path) ? path : realpath(path).catch(() => path);
}

/** What a data set is read with beside its own files. */
async function otherFiles({ reading }: ReadingPlan): Promise<readonly string[]> {
  if (reading.kind !== 'text' || reading.unit.kind !== 'tokenizer') return [];
  return [await placeOf(reading.unit.path)];
}

const NEWS_SECONDS: NewsSeconds = { progress: 2, checkpoint: 30 };

interface TrainCall {
  readonly vector: Float32Array;
  readonly seed: number;
  readonly context: TrainingContext | undefined;
  readonly onProgress: ((progress: TrainingProgress) => void) | undefined;
  readonly seconds: NewsSeconds;
  readonly milliseconds: (job: PreparedDescription) => number;
}

type PrepareRequest = Extract<ChildRequest, { kind: 'prepare' }>;

/** A job as its child holds it; prepared again when the child is another one. */
class RemoteJob {
  readonly #lives: Lives;
  readonly #request: PrepareRequest;
  #preparedIn: TrainerChild | undefined;
  #prepared: Promise<PreparedDescription> | undefined;

  readonly #log: Log;

  constructor(lives: Lives, request: PrepareRequest, log: Log) {
    this.#lives = lives;
    this.#request = request;
    this.#log = log;
  }

  /** A child that dies costs what it did since the last checkpoint: the next one goes on there. */
  async train(call: TrainCall): Promise<ClientUpdate> {
    const { vector, seed, context, onProgress, seconds, milliseconds } = call;
    let newest: Checkpoint | undefined;
    const onNews = (news: ChildNews) => {
      if (news.kind === 'checkpoint') newest = news.checkpoint;
      else onProgress?.(news.progress);
    };
    for (;;) {
      const resume = newest;
      const request = { kind: 'train', vector, seed, context, resume, seconds } as const;
      try {
        return await this.ask(request, milliseconds, onNews);
      } catch (error) {
        const died = error instanceof ProtocolError && error.code === 'trainer-died';
        // Without any progress since, the next one would die as well.
        if (!died || newest === resume) throw error;
        this.#log.warn('a training goes on from its last checkpoint', { step: newest?.step });
      }
    }
  }

  async prepared(): Promise<PreparedDescription> {
    const child = await this.#lives.living();
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

  /** @param milliseconds the request's time limit, that of any request unless told */
  async ask<R extends ChildRequest>(
    request: R,
    milliseconds?: (job: PreparedDescription) => number,
    onNews?: (news: ChildNews) => void,
  ): Promise<ChildResults[R['kind']]> {
    const prepared = await this.prepared();
    // The child that prepared may have died just now: then this rejects, and the next call
    // recovers.
    return this.#preparedIn!.request(request, milliseconds?.(prepared), onNews);
  }
}
