import { realpath } from 'node:fs/promises';
import { errorMessage, type Log, ProtocolError } from '@starling/core';
import type {
  ClientUpdate,
  ModelDescription,
  PreparedJob,
  Trainer,
  TrainerJob,
  TrainingContext,
  TrainingProgress,
  WeightPatterns,
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
import { type DeviceChoice, ON_CPU, type Place, type PrecisionChoice } from './device.ts';
import { DeviceChooser, type DeviceReport, type Places } from './device-choice.ts';
import { missingFor } from './device-files.ts';
import type { DeviceTrial } from './device-trial.ts';
import { type GivenLimits, limitsOf, runMilliseconds, type TrainerLimits } from './limits.ts';
import { Lives } from './lives.ts';
import type { Checkpoint } from './local-training.ts';
import { type Retreat, retreatFrom } from './retreat.ts';

export interface TrainerOptions {
  /** The bundled `child-main`, for instance `dist/trainer-child.js`. */
  readonly childEntry: URL;
  readonly datasets: DatasetCatalog;
  readonly log: Log;
  /** What one child may take; `limitsOf` has the defaults. */
  readonly limits?: GivenLimits;
  /** Where jobs train; the CPU unless told. */
  readonly device?: DeviceChoice;
  /** Of products and convolutions on an accelerator; float32 unless told. */
  readonly precision?: PrecisionChoice;
  /** Says where jobs train in place of `device` and `precision`. */
  readonly places?: Places;
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
  /** Of what the cage is made on this machine. */
  support(): Promise<CageSupport>;
  /** What this machine has beside its CPU, each tried in a process of its own. */
  devices(): Promise<readonly DeviceReport[]>;
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
  readonly #places: Places;
  #support: Promise<CageSupport> | undefined;
  #closed = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#limits = limitsOf(options.limits);
    const { device = 'cpu', precision = 'float32', log } = options;
    this.#places =
      options.places ??
      new DeviceChooser({
        ...{ wanted: device, precision, platform: process.platform, missing: missingFor, log },
        probe: (place) => this.#try(place),
      });
  }

  get pids(): readonly number[] {
    return [...this.#lives].flatMap(({ pid }) => pid ?? []);
  }

  async cage(): Promise<readonly string[]> {
    return describeCage(await this.support(), this.#limits);
  }

  devices(): Promise<readonly DeviceReport[]> {
    return this.#places.reports();
  }

  async describe(model: Uint8Array, weights: WeightPatterns): Promise<ModelDescription> {
    const lives = this.#open();
    try {
      return await (await lives.living()).request({ kind: 'describe', model, weights });
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
    const own = { job, data: { path, plan, augment } };
    const readable = [path, ...(await otherFiles(plan))];
    const attempt = (place: Place) => this.#try(place, own, readable);
    // A step of one example after another is what accelerators are slow at.
    const post: Post = {
      place: job.exampleNoise ? ON_CPU : await this.#places.choose(attempt),
    };
    const lives = this.#open(readable, post);
    const { cpuThreads: threads, memory } = this.#limits;
    const request = { kind: 'prepare', ...own, threads, memory } as const;
    const remote = new RemoteJob({ lives, request, post, log: this.#options.log });
    try {
      const { layout, initial, exampleCost } = await remote.ready();
      return {
        ...{ layout, initial, exampleCost },
        train: (vector, seed, context, onProgress) =>
          remote.train({
            ...{ vector, seed, context, onProgress },
            seconds: { ...NEWS_SECONDS, ...this.#options.newsSeconds },
            milliseconds: ({ steps }) => runMilliseconds(this.#limits, steps),
          }),
        evaluate: (vector, examplesMax, personal) =>
          remote.ask({ kind: 'evaluate', vector, examplesMax, personal }),
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

  support(): Promise<CageSupport> {
    this.#support ??= probeCage(this.#options.childEntry).then((support) => {
      const { log } = this.#options;
      for (const line of support.missing) log.warn('the cage of the trainer is open', { line });
      return support;
    });
    return this.#support;
  }

  /** A short training in a child that lives no longer. */
  async #try(
    place: Place,
    own?: Pick<PrepareRequest, 'job' | 'data'>,
    readable: readonly string[] = [],
  ): Promise<DeviceTrial> {
    const lives = this.#open(readable, { place });
    const { cpuThreads: threads } = this.#limits;
    const request = { kind: 'try', place, threads, ...(own && { own }) } as const;
    try {
      return await (await lives.living()).request(request, TRIAL_MS);
    } finally {
      await this.#end(lives);
    }
  }

  /**
   * @param data what a job may read beside its code: paths, or addresses in the network
   * @param post where it trains when its next child starts; the CPU unless told
   */
  #open(data: readonly string[] = [], post: Readonly<Post> = { place: ON_CPU }): Lives {
    if (this.#closed) throw new ProtocolError('trainer-died', 'the trainer is closed');
    const { childEntry: entry, log, backoffMs = 1000 } = this.#options;
    const network = data.some(isAddress);
    const contents = { entry, network, readable: network ? [] : data };
    const command = async () =>
      cagedCommand(await this.support(), this.#limits, {
        ...contents,
        device: post.place.device,
      });
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

/** Where a job trains, which changes when that place fails it. */
interface Post {
  place: Place;
}

/** Longest that a trial may take: a device that needs more is of no use. */
const TRIAL_MS = 120_000;

interface RemoteJobOptions {
  readonly lives: Lives;
  readonly request: Omit<PrepareRequest, 'place'>;
  readonly post: Post;
  readonly log: Log;
}

/** A job as its child holds it; prepared again when the child is another one. */
class RemoteJob {
  readonly #options: RemoteJobOptions;
  #preparedIn: TrainerChild | undefined;
  #prepared: Promise<PreparedDescription> | undefined;

  constructor(options: RemoteJobOptions) {
    this.#options = options;
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
      const { place } = this.#options.post;
      const request = { kind: 'train', vector, seed, context, resume, seconds } as const;
      try {
        return await this.#ask(request, milliseconds, onNews);
      } catch (error) {
        const retreat = await this.#retreat(place, error);
        if (retreat?.startsAgain) newest = undefined;
        if (retreat !== undefined) continue;
        const died = error instanceof ProtocolError && error.code === 'trainer-died';
        // Without any progress since, the next one would die as well.
        if (!died || newest === resume) throw error;
        this.#options.log.warn('a training goes on from its last checkpoint', {
          step: newest?.step,
        });
      }
    }
  }

  /** Prepared once: what fails by its place is prepared again for another. */
  ready(): Promise<PreparedDescription> {
    return this.#orElsewhere(() => this.#prepare());
  }

  /** A request that takes no longer than any. */
  ask<R extends ChildRequest>(request: R): Promise<ChildResults[R['kind']]> {
    return this.#orElsewhere(() => this.#ask(request));
  }

  async #orElsewhere<T>(act: () => Promise<T>): Promise<T> {
    const { place } = this.#options.post;
    try {
      return await act();
    } catch (error) {
      if ((await this.#retreat(place, error)) !== undefined) return act();
      throw error;
    }
  }

  /** When a failure is by the place that a request began at: then it goes on elsewhere. */
  async #retreat(from: Place, error: unknown): Promise<Retreat | undefined> {
    const { post, lives, log } = this.#options;
    const retreat = lives.closed ? undefined : retreatFrom(from, error);
    // Another request may have led away already, and ended the child that this one was in.
    if (retreat === undefined || post.place !== from) return retreat;
    log.warn(retreat.words, { reason: errorMessage(error) });
    post.place = retreat.place;
    this.#prepared = undefined;
    await lives.renew();
    return retreat;
  }

  async #prepare(): Promise<PreparedDescription> {
    const { lives, request, post } = this.#options;
    const child = await lives.living();
    if (this.#prepared === undefined || this.#preparedIn !== child) {
      this.#preparedIn = child;
      this.#prepared = child.request({ ...request, place: post.place });
      // What failed once may work later: a data set that comes back, another child.
      this.#prepared.catch(() => {
        this.#prepared = undefined;
      });
    }
    return this.#prepared;
  }

  /** @param milliseconds the request's time limit, that of any request unless told */
  async #ask<R extends ChildRequest>(
    request: R,
    milliseconds?: (job: PreparedDescription) => number,
    onNews?: (news: ChildNews) => void,
  ): Promise<ChildResults[R['kind']]> {
    const prepared = await this.#prepare();
    // The child that prepared may have died just now: then this rejects, and the next call
    // recovers.
    return this.#preparedIn!.request(request, milliseconds?.(prepared), onNews);
  }
}
