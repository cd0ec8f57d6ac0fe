import { type Clock, errorMessage, type Log, millis } from '@starling/core';
import { Batcher } from './batcher.ts';
import { type CheckedRequest, checkRequest } from './check-request.ts';
import type { InferenceEngine, ModelSource, ModelVersion, ServingObserver } from './engine.ts';
import { failureOf, ServingError } from './failure.ts';
import { Latencies } from './latencies.ts';
import { Quotas } from './quotas.ts';
import { joinInputs, splitOutputs } from './rows.ts';
import { Slot } from './slot.ts';
import type { NamedTensor, TensorSpec } from './tensors.ts';

/** How a model is served, by its owner's word. */
export interface ServeOptions {
  /** Rows of one run, at most. */
  readonly maxBatch: number;
  /** How long a request waits for others while nothing runs. */
  readonly maxDelayMs: number;
  /** Requests that wait, at most. */
  readonly queue: number;
  readonly device: string;
  /** To members of the swarm as well. */
  readonly swarm: boolean;
  /** Requests a minute of each client; null for all it likes. */
  readonly quota: number | null;
}

export interface InferRequest {
  readonly inputs: readonly NamedTensor[];
  /** All unless told. */
  readonly outputs?: readonly string[] | undefined;
  /** The newest unless told. */
  readonly version?: string | undefined;
}

export interface InferAnswer {
  readonly version: string;
  readonly outputs: readonly NamedTensor[];
}

export interface ServedParts {
  readonly name: string;
  readonly source: ModelSource;
  readonly options: ServeOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly observer: ServingObserver;
  readonly open: (model: Uint8Array, device: string) => Promise<InferenceEngine>;
}

/** What is told of a served model. */
export interface ServedState {
  /** Null while nothing is loaded. */
  readonly version: string | null;
  readonly isReady: boolean;
  readonly device: string | null;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Why requests do not share runs; null where they do. */
  readonly unbatchable: string | null;
  /** Why the newest version is not served, if it is not. */
  readonly problem: string | null;
  readonly requests: number;
  readonly failures: number;
  readonly waiting: number;
  readonly runs: number;
  readonly rows: number;
  readonly swaps: number;
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number } | null;
}

interface Waiting extends CheckedRequest {
  readonly slot: Slot;
  readonly resolve: (outputs: readonly NamedTensor[]) => void;
  readonly reject: (error: ServingError) => void;
}

/** A job's first model comes with a certificate, or after a restart out of the store. */
const AWAIT_MS = 2_000;
/** What does not load now may later: a device that is busy, a process that died. */
const RETRY_MS = 60_000;

/**
 * A model with its queue. A newer version is loaded beside the old one, and takes all requests from
 * then on; the old one answers those that it has, and ends.
 */
export class ServedModel {
  readonly parts: ServedParts;
  readonly #batcher: Batcher<Waiting>;
  readonly #latencies = new Latencies();
  readonly #quotas: Quotas | undefined;
  readonly #unwatch: () => void;
  #slot: Slot | undefined;
  /** Those that answer, and those that still have to. */
  readonly #slots = new Set<Slot>();
  readonly #retiring = new Set<Promise<void>>();
  #update: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #failure: unknown;
  #isStale = false;
  #isClosed = false;
  #problem: string | null = null;
  #serial = 0;
  #counts = { requests: 0, failures: 0, runs: 0, rows: 0, swaps: 0 };

  constructor(parts: ServedParts) {
    this.parts = parts;
    const { options, clock, source } = parts;
    this.#batcher = new Batcher({
      ...{ rowsMax: options.maxBatch, delayMs: options.maxDelayMs, queueMax: options.queue },
      ...{ clock, start: (batch) => void this.#run(batch) },
    });
    if (options.quota !== null) this.#quotas = new Quotas(options.quota, () => clock.now());
    this.#unwatch = source.watch(() => void this.refresh());
  }

  /** Looks for a newer version and swaps it in; what goes wrong stands in the state. */
  refresh(): Promise<void> {
    this.#isStale = true;
    this.#update ??= this.#catchUp().finally(() => {
      this.#update = undefined;
    });
    return this.#update;
  }

  /** What went wrong when it last looked for the newest version. */
  get failure(): unknown {
    return this.#failure;
  }

  state(): ServedState {
    const engine = this.#slot?.engine;
    return {
      ...this.#counts,
      version: this.#slot?.version ?? null,
      isReady: engine?.isReady ?? false,
      device: engine?.device ?? null,
      inputs: engine?.inputs ?? [],
      outputs: engine?.outputs ?? [],
      unbatchable: engine?.unbatchable ?? null,
      problem: this.#problem,
      waiting: this.#batcher.length,
      latency: this.#latencies.summary(),
    };
  }

  /**
   * @param client whom a quota is for
   * @throws ServingError
   */
  async infer(request: InferRequest, client: string): Promise<InferAnswer> {
    const { name, clock, observer } = this.parts;
    const began = clock.now();
    this.#counts.requests += 1;
    try {
      const answer = await this.#enqueue(request, client);
      const milliseconds = clock.now() - began;
      this.#latencies.add(milliseconds);
      observer.answered(name, milliseconds / 1000);
      return answer;
    } catch (error) {
      const failure = failureOf(error);
      this.#counts.failures += 1;
      observer.failed(name, failure.kind);
      throw failure;
    }
  }

  /** The same, but fails what is not answered yet: the daemon stops. */
  async abort(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#slots].map(({ engine }) => engine.close()));
    await this.close();
  }

  /**
   * Takes nothing more, and resolves when all that was taken is answered. What is on its way to be
   * loaded is not waited for, which may take minutes: it ends where it is then.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#unwatch();
    if (this.#slot !== undefined) this.#retire(this.#slot);
    this.#slot = undefined;
    await Promise.all(this.#retiring);
    this.parts.observer.gone(this.parts.name);
  }

  async #enqueue(request: InferRequest, client: string): Promise<InferAnswer> {
    const slot = this.#slotFor(request.version);
    const wait = this.#quotas?.waitSeconds(client) ?? 0;
    if (wait > 0) {
      const quota = this.parts.options.quota;
      throw new ServingError('quota', `at most ${quota} requests a minute; wait ${wait} s`, wait);
    }
    const { engine, version } = slot;
    const { maxBatch, queue } = this.parts.options;
    const isBatchable = engine.unbatchable === null;
    const { inputs, outputs } = engine;
    const signature = { inputs, outputs, isBatchable, rowsMax: maxBatch };
    const checked = checkRequest(signature, request.inputs, request.outputs);
    const answer = await new Promise<readonly NamedTensor[]>((resolve, reject) => {
      // What runs alone is a batch of its own, full from the start.
      const alone = { key: `${slot.serial}/${this.#counts.requests}`, rows: maxBatch };
      const shared = { key: `${slot.serial}/${checked.key}` };
      const item = { ...checked, slot, resolve, reject, ...(isBatchable ? shared : alone) };
      slot.enter();
      if (this.#batcher.add(item)) return;
      slot.leave();
      reject(new ServingError('queue-full', `${queue} requests wait already; try again soon`, 1));
    });
    return { version, outputs: answer };
  }

  #slotFor(version: string | undefined): Slot {
    const { name } = this.parts;
    if (this.#isClosed) throw new ServingError('unknown-model', `no model "${name}" is served`);
    const slot = this.#slot;
    if (slot === undefined) {
      const why = this.#problem ?? 'it is being loaded';
      throw new ServingError('not-ready', `model "${name}" is not ready: ${why}`, 5);
    }
    if (version === undefined || version === slot.version) return slot;
    const words = `version ${version} of "${name}" is not served; it is at ${slot.version}`;
    throw new ServingError('unknown-model', words);
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    const { slot } = batch[0]!;
    const { observer, name } = this.parts;
    const isShared = slot.engine.unbatchable === null;
    const rows = isShared ? batch.reduce((sum, item) => sum + item.rows, 0) : 1;
    this.#counts.runs += 1;
    this.#counts.rows += rows;
    observer.batch(name, rows);
    try {
      const outputs = await slot.engine.run(joinInputs(batch, rows));
      const parts = splitOutputs(batch, outputs, rows);
      for (const [i, { resolve }] of batch.entries()) resolve(parts[i]!);
    } catch (error) {
      const failure = failureOf(error);
      for (const { reject } of batch) reject(failure);
    } finally {
      for (const { slot: used } of batch) used.leave();
      this.#batcher.ended();
    }
  }

  async #catchUp(): Promise<void> {
    this.#cancelRetry?.();
    let again: number | undefined;
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      again = await this.#look();
    }
    if (again === undefined || this.#isClosed) return;
    const { clock } = this.parts;
    this.#cancelRetry = clock.setTimer(millis(again), () => void this.refresh());
  }

  /** Swaps in the newest; milliseconds after which to look again, if at all. */
  async #look(): Promise<number | undefined> {
    const { source, name, log } = this.parts;
    try {
      const newest = await source.newest();
      if (newest !== undefined && newest.identity !== this.#slot?.identity)
        await this.#load(newest);
      this.#failure = undefined;
      const isMissing = newest === undefined && this.#slot === undefined;
      this.#problem = isMissing ? 'there is no certified model yet' : null;
      return newest === undefined ? AWAIT_MS : undefined;
    } catch (error) {
      if (this.#isClosed) return undefined;
      this.#failure = error;
      this.#problem = errorMessage(error);
      log.warn('a model cannot be served in its newest version', { name, why: this.#problem });
      return RETRY_MS;
    }
  }

  async #load(newest: ModelVersion): Promise<void> {
    const { open, options, log, name, observer } = this.parts;
    const bytes = await newest.bytes();
    if (this.#isClosed) return;
    const engine = await open(bytes, options.device);
    const old = this.#slot;
    if (this.#isClosed) return engine.close();
    this.#slot = new Slot(this.#serial++, newest, engine);
    this.#slots.add(this.#slot);
    const { version } = newest;
    log.info('a model is served', { name, version, device: engine.device });
    if (old === undefined) return;
    this.#counts.swaps += 1;
    observer.swapped(name);
    this.#retire(old);
  }

  #retire(slot: Slot): void {
    const end = slot.retire().finally(() => {
      this.#retiring.delete(end);
      this.#slots.delete(slot);
    });
    this.#retiring.add(end);
  }
}
