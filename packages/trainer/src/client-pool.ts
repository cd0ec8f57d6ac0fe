import {
  buildEpochGraph,
  EPOCH_INPUTS,
  type EpochGraph,
  type EpochPlan,
  initialVector,
  planEpochs,
  stepsPerEpoch,
  trainedModel,
  VectorSplit,
} from '@starling/autodiff';
import { assert, ProtocolError } from '@starling/core';
import { readModel } from '@starling/onnx';
import type {
  ClientUpdate,
  Evaluation,
  TrainerJob,
  TrainingContext,
  VectorLayout,
} from '@starling/rounds';
import { residentBatches } from './batches.ts';
import { type ExampleSet, selectExamples } from './data/example-set.ts';
import type { EpochRunner } from './device-training.ts';
import { epochOptions, openLoop } from './local-job.ts';
import { LocalTraining } from './local-training.ts';
import { Pace } from './pace.ts';
import { Scorer } from './scorer.ts';
import { type TargetForm, targetForm } from './targets.ts';

export interface ClientPoolOptions {
  readonly job: Omit<TrainerJob, 'dataset'>;
  /** What all clients have together. */
  readonly examples: ExampleSet;
  readonly threads: number;
}

/** What one virtual client trains on, and how long. */
export interface ClientShare {
  /** Its examples among those of all. */
  readonly indices: Int32Array;
  /** Local epochs, those of the job unless told: a slow client may do fewer. */
  readonly epochs?: number;
}

/** A fixed list of examples that vectors are scored on. */
export interface VectorScorer {
  score(vector: Float32Array): Promise<Evaluation>;
}

/**
 * Many virtual clients of one job in this process. They share one session for each way to cut
 * examples into minibatches, whatever their number.
 */
export interface ClientPool {
  readonly layout: VectorLayout;
  /** Round 0: the weights inside the model. */
  readonly initial: Float32Array;
  /** @throws ProtocolError `not-finite` as `PreparedJob.train` */
  train(
    share: ClientShare,
    vector: Float32Array,
    seed: number,
    context?: TrainingContext,
  ): Promise<ClientUpdate>;
  scorer(set: ExampleSet): Promise<VectorScorer>;
  close(): Promise<void>;
}

/** A session of the epoch graph, for all plans that it serves. */
interface Sized {
  readonly graph: EpochGraph;
  readonly session: EpochRunner;
  readonly form: TargetForm | undefined;
  /** Clients of one plan are as fast as each other. */
  readonly pace: Pace;
}

/** Sessions kept at once: each holds its own working memory. */
const SESSIONS_MAX = 12;
const FIRST_ROUND = { round: 0, rounds: 1 };

/** @throws ProtocolError when model, settings and data do not fit together */
export async function openClientPool(options: ClientPoolOptions): Promise<ClientPool> {
  const { patience } = options.job.training;
  if (patience > 0) {
    // A client's examples all train here: it has none to stop early by.
    throw new ProtocolError('job-limit', 'virtual clients have no validation examples: patience 0');
  }
  return new OpenPool(options);
}

class OpenPool implements ClientPool {
  readonly initial: Float32Array;
  readonly layout: VectorLayout;
  readonly #options: ClientPoolOptions;
  readonly #model: ReturnType<typeof readModel>;
  readonly #split: VectorSplit;
  /** In order of last use. */
  readonly #sessions = new Map<string, Sized>();
  readonly #scorers: Scorer[] = [];

  constructor(options: ClientPoolOptions) {
    this.#options = options;
    const { training } = options.job;
    this.#model = trainedModel(readModel(options.job.model), training);
    this.#split = new VectorSplit(this.#model, training);
    if (this.#split.ownLength > 0) {
      const what = 'virtual clients have no weights of their own: training.personal must be empty';
      throw new ProtocolError('model-mismatch', what);
    }
    this.initial = initialVector(this.#model, training.frozen);
    this.layout = this.#split.layout;
  }

  async train(
    { indices, epochs }: ClientShare,
    vector: Float32Array,
    seed: number,
    context: TrainingContext = FIRST_ROUND,
  ): Promise<ClientUpdate> {
    assert(indices.length >= 1, 'a client without examples cannot train');
    const { job, examples: all } = this.#options;
    const { training } = job;
    const plan = planEpochs({
      ...training,
      ...(epochs !== undefined && { epochs }),
      ...{ stepsMax: training.steps, examples: indices.length },
    });
    const { graph, session, form, pace } = await this.#sized(plan);
    const { info, examples } = selectExamples(all, indices);
    const rows = Int32Array.from(indices, (_, i) => i);
    const local = new LocalTraining({
      ...{ job: { ...job, dataset: '' }, plan, graph, session, pace, augment: undefined },
      split: this.#split,
      ...{ example: info.shape, examples: indices.length },
      batches: await residentBatches({ info, examples, indices: rows, plan, form }),
      validate: async () => Number.NaN,
    });
    return local.train(vector, seed, context);
  }

  async scorer(set: ExampleSet): Promise<VectorScorer> {
    const { job, threads } = this.#options;
    const { lossOptions, frozen } = job.training;
    const indices = Int32Array.from({ length: set.info.count }, (_, i) => i);
    const scorer = await Scorer.open({
      ...{ model: this.#model, loss: job.loss, lossOptions, frozen, set, indices, threads },
      classes: job.data.classes,
    });
    this.#scorers.push(scorer);
    return { score: (vector) => scorer.score(vector, indices.length) };
  }

  async close(): Promise<void> {
    for (const { session } of this.#sessions.values()) await session.release();
    for (const scorer of this.#scorers) await scorer.close();
  }

  /** The session for a plan; the one that was not used for longest makes room for another. */
  async #sized(plan: EpochPlan): Promise<Sized> {
    const key = graphKey(plan);
    const known = this.#sessions.get(key);
    if (known !== undefined) {
      this.#sessions.delete(key);
      this.#sessions.set(key, known);
      return known;
    }
    const [oldest] = this.#sessions;
    if (oldest !== undefined && this.#sessions.size >= SESSIONS_MAX) {
      this.#sessions.delete(oldest[0]);
      await oldest[1].session.release();
    }
    const made = await this.#open(plan);
    this.#sessions.set(key, made);
    return made;
  }

  async #open(plan: EpochPlan): Promise<Sized> {
    const { job, examples, threads } = this.#options;
    const { info } = examples;
    const parts = { job: { ...job, dataset: '' }, model: this.#model, info, plan };
    const graph = buildEpochGraph(
      epochOptions({ ...parts, augment: undefined, precision: 'float32' }),
    );
    const { targets } = EPOCH_INPUTS;
    const input = graph.model.graph.inputs.find(({ name }) => name === targets);
    const form = targetForm(info.target, input, job.data.classes);
    return { graph, form, session: await openLoop(graph, threads, 'cpu'), pace: new Pace() };
  }
}

/** What of a plan an epoch graph depends on: neither epochs nor steps, which are fed. */
function graphKey(plan: EpochPlan): string {
  const { batchSize, lastBatch, accumulation, batches } = plan;
  const fewer = stepsPerEpoch(plan) * accumulation !== batches;
  return [batchSize, lastBatch, accumulation, fewer].join('/');
}
