import {
  buildEpochGraph,
  createGenerator,
  dropoutWords,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraph,
  type EpochPlan,
  initialVector,
  learningRates,
  minibatchOrder,
  modelState,
  orderShape,
  planEpochs,
  variesWithinRun,
  WORDS_PER_DROPOUT,
} from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { type Model, readModel } from '@starling/onnx';
import type {
  ClientUpdate,
  Evaluation,
  PreparedJob,
  TrainerJob,
  TrainingContext,
  VectorLayout,
} from '@starling/rounds';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type LabelledImages, splitDataset } from './dataset.ts';
import { checkMemory, leastBytes } from './estimate.ts';
import { checkLabels, labelTensor } from './labels.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';
import { BYTE_SCALE, labelShape, Scorer } from './scorer.ts';

export interface LocalJobOptions {
  readonly job: TrainerJob;
  readonly data: LabelledImages;
  readonly threads: number;
  /** Bytes that this process may take; without bound unless told. */
  readonly memory?: number;
}

/** A job in this process, with what can be said of its model. */
export interface LocalJob extends PreparedJob {
  readonly warnings: readonly string[];
  /** Minibatches of one training. */
  readonly steps: number;
}

const STEPS_MAX = 1_000_000;

/**
 * A job in this process: sessions open, data resident.
 * @throws ProtocolError when model, settings and data do not fit together
 */
export async function openLocalJob(options: LocalJobOptions): Promise<LocalJob> {
  const { job, data, threads, memory = Number.POSITIVE_INFINITY } = options;
  const model = readModel(job.model);
  const { training: settings, loss } = job;
  const { frozen, lossOptions } = settings;
  const { classes } = job.data;
  const { training, validation } = splitDataset(data.count);
  checkLabels(data, { loss, classes, ignoreIndex: lossOptions.ignoreIndex });
  // A peer with fewer examples than a batch trains on batches of what it has.
  const plan = planEpochs({ ...settings, examples: training.length });
  const minibatches = plan.epochs * plan.batches;
  if (minibatches > STEPS_MAX) {
    throw new ProtocolError('job-limit', `${minibatches} local minibatches, at most ${STEPS_MAX}`);
  }
  const graph = epochGraph(job, model, data, plan);
  checkClasses(job, graph);
  const elements = graph.layout.parameters + graph.layout.buffers;
  const { batchSize } = plan;
  const dataBytes = data.images.byteLength + data.labels.byteLength;
  checkMemory(leastBytes({ model, elements, batchSize, dataBytes }), memory);
  const fixed = await fixedFeeds(job, data, graph);
  const session = await createSession(graph.model, threads);
  const scorer = await Scorer.open({
    ...{ model, loss, lossOptions, frozen, data, classes, indices: validation, threads },
  });
  return new OpenJob({
    ...{ job, training, plan, graph, session, scorer, fixed },
    initial: initialVector(model, frozen),
    warnings: modelState(model, frozen).warnings,
  });
}

function epochGraph(
  job: TrainerJob,
  model: Model,
  data: LabelledImages,
  plan: EpochPlan,
): EpochGraph {
  const { loss, training, control = false } = job;
  const { lossOptions, clipping, proximal, frozen, dropout } = training;
  return buildEpochGraph({
    ...{ model, loss, lossOptions, plan, clipping, proximal, control, frozen, dropout },
    data: {
      ...{ dtype: 'uint8', examples: data.count, example: data.shape, scale: BYTE_SCALE },
      ...labelShape(loss),
    },
    optimizer: training,
    ratePerStep: variesWithinRun(training.schedule),
  });
}

/** What the graph is fed with in every run. */
async function fixedFeeds(job: TrainerJob, data: LabelledImages, { model }: EpochGraph) {
  const { Tensor } = await loadOrt();
  const targets = model.graph.inputs.find(({ name }) => name === EPOCH_INPUTS.targets);
  const labels = targets && (await labelTensor(data, targets, job.data.classes));
  return {
    [EPOCH_INPUTS.data]: new Tensor('uint8', data.images, [data.count, ...data.shape]),
    [EPOCH_INPUTS.clippingNorm]: new Tensor('float32', Float32Array.of(job.clippingNorm), []),
    ...(labels && { [EPOCH_INPUTS.targets]: labels }),
  };
}

interface OpenJobParts {
  readonly job: TrainerJob;
  /** Indices of the examples that train. */
  readonly training: Int32Array;
  readonly plan: EpochPlan;
  readonly graph: EpochGraph;
  readonly session: InferenceSession;
  readonly scorer: Scorer;
  /** What is the same in every run. */
  readonly fixed: Readonly<Record<string, Tensor>>;
  readonly initial: Float32Array;
  readonly warnings: readonly string[];
}

class OpenJob implements LocalJob {
  readonly layout: VectorLayout;
  readonly initial: Float32Array;
  readonly warnings: readonly string[];
  readonly steps: number;
  readonly #parts: OpenJobParts;

  constructor(parts: OpenJobParts) {
    this.#parts = parts;
    this.initial = parts.initial;
    this.warnings = parts.warnings;
    this.layout = parts.graph.layout;
    this.steps = parts.plan.epochs * parts.plan.batches;
  }

  async train(
    vector: Float32Array,
    seed: number,
    context: TrainingContext = { round: 0, rounds: 1 },
  ): Promise<ClientUpdate> {
    this.#checkLength(vector);
    const { session, plan, training, fixed } = this.#parts;
    const feeds = { ...fixed, ...(await this.#freshFeeds(vector, seed, context)) };
    // The unclipped update stays inside: every output is copied.
    const { clipped, norm, losses } = EPOCH_OUTPUTS;
    const results = await session.run(feeds, [clipped, norm, losses]);
    const update = results[clipped]!.data as Float32Array;
    const perStep = results[losses]!.data as Float32Array;
    const length = scalarOf(results, norm);
    checkFinite(perStep, update, length);
    const trainingLoss = perStep.reduce((sum, loss) => sum + loss, 0) / perStep.length;
    const examples = training.length;
    return { update, norm: length, trainingLoss, localSteps: plan.steps, examples };
  }

  async evaluate(vector: Float32Array, examplesMax: number): Promise<Evaluation> {
    this.#checkLength(vector);
    return this.#parts.scorer.score(vector, examplesMax);
  }

  async close(): Promise<void> {
    await this.#parts.session.release();
    await this.#parts.scorer.close();
  }

  #checkLength(vector: Float32Array): void {
    if (vector.length !== this.initial.length) {
      throw new ProtocolError(
        'model-mismatch',
        `a vector of ${vector.length} elements for a model of ${this.initial.length}`,
      );
    }
  }

  /** Weights, order of examples, learning rates, and what dropouts drop. */
  async #freshFeeds(vector: Float32Array, seed: number, context: TrainingContext) {
    const { Tensor } = await loadOrt();
    const { job, plan, training, graph } = this.#parts;
    const { learningRate, schedule } = job.training;
    const shape = orderShape(plan);
    const batches = shape.slice(0, -1);
    const order = minibatchOrder(plan, training, createGenerator(seed));
    const span = { steps: plan.steps, round: context.round, rounds: context.rounds };
    const rates = learningRates(learningRate, schedule, span);
    const feeds: Record<string, Tensor> = {
      [EPOCH_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EPOCH_INPUTS.order]: new Tensor('int32', order, shape),
      [EPOCH_INPUTS.learningRate]: variesWithinRun(schedule)
        ? new Tensor('float32', rates, [plan.steps])
        : new Tensor('float32', rates.slice(0, 1), []),
    };
    if (graph.words > 0) {
      const count = plan.steps * plan.accumulation;
      const generator = createGenerator(seed + DROPOUT_STREAM);
      const words = dropoutWords(count, graph.words / WORDS_PER_DROPOUT, generator);
      feeds[EPOCH_INPUTS.words] = new Tensor('int32', words, [...batches, graph.words]);
    }
    if (job.control) feeds[EPOCH_INPUTS.control] = await this.#controlFeed(context.control);
    return feeds;
  }

  async #controlFeed(control: Float32Array | undefined): Promise<Tensor> {
    const { Tensor } = await loadOrt();
    const { parameters } = this.layout;
    if (control?.length !== parameters) {
      const what = `a control variate of ${control?.length ?? 0} elements for ${parameters}`;
      throw new ProtocolError('model-mismatch', what);
    }
    return new Tensor('float32', control, [parameters]);
  }
}

/** Seeds have 32 bits; the generator takes more, so dropouts draw from a stream of their own. */
const DROPOUT_STREAM = 2 ** 32;

/** The model tells as many classes apart as the job names. */
function checkClasses({ loss, data }: TrainerJob, { output }: EpochGraph): void {
  const outputs = output[1] ?? 0;
  if (loss !== 'softmax-cross-entropy' || outputs >= data.classes) return;
  throw new ProtocolError('model-mismatch', `${outputs} outputs for ${data.classes} classes`);
}

/** @throws ProtocolError `not-finite` naming the first step whose loss is no number */
function checkFinite(losses: Float32Array, update: Float32Array, norm: number): void {
  const step = losses.findIndex((loss) => !Number.isFinite(loss));
  if (step >= 0) {
    const where = `the loss of step ${step + 1} of ${losses.length} is ${losses[step]}`;
    throw new ProtocolError('not-finite', `local training diverged: ${where}`);
  }
  if (Number.isFinite(norm) && update.every(Number.isFinite)) return;
  throw new ProtocolError(
    'not-finite',
    `local training diverged: the update has norm ${norm} (last loss ${losses.at(-1)})`,
  );
}
