import {
  buildDeviceGraphs,
  buildEpochGraph,
  createGenerator,
  dropoutWords,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraph,
  type EpochGraphOptions,
  type EpochPlan,
  initialVector,
  learningRates,
  minibatchOrder,
  modelState,
  planEpochs,
  variesWithinRun,
  WORDS_PER_DROPOUT,
} from '@starling/autodiff';
import { errorMessage, ProtocolError } from '@starling/core';
import { type Model, readModel } from '@starling/onnx';
import type {
  ClientUpdate,
  Evaluation,
  PreparedJob,
  TrainerJob,
  TrainingContext,
  VectorLayout,
} from '@starling/rounds';
import type { Tensor } from 'onnxruntime-node';
import { clippedUpdate } from './clip.ts';
import { type LabelledImages, splitDataset } from './dataset.ts';
import type { Device } from './device.ts';
import { type DeviceRun, DeviceTraining } from './device-training.ts';
import { checkMemory, leastBytes } from './estimate.ts';
import { imageMinibatches } from './image-minibatches.ts';
import { checkLabels, labelTensor } from './labels.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';
import { BYTE_SCALE, labelShape, Scorer } from './scorer.ts';

export interface LocalJobOptions {
  readonly job: TrainerJob;
  readonly data: LabelledImages;
  readonly threads: number;
  /** Bytes that this process may take; without bound unless told. */
  readonly memory?: number;
  /** Where the job trains; it is always evaluated on the CPU, which it trains on unless told. */
  readonly device?: Device;
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
  const { job, data, threads, memory = Number.POSITIVE_INFINITY, device = 'cpu' } = options;
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
  const graphOptions = epochOptions(job, model, data, plan);
  const graph = buildEpochGraph(graphOptions);
  checkClasses(job, graph);
  const elements = graph.layout.parameters + graph.layout.buffers;
  const { batchSize } = plan;
  const dataBytes = data.images.byteLength + data.labels.byteLength;
  checkMemory(leastBytes({ model, elements, batchSize, dataBytes }), memory);
  const engine =
    device === 'webgpu'
      ? await openDeviceEngine(options, graphOptions)
      : await openLoopEngine(options, graph, device);
  const scorer = await Scorer.open({
    ...{ model, loss, lossOptions, frozen, data, classes, indices: validation, threads },
  });
  return new OpenJob({
    ...{ job, training, plan, graph, engine, scorer },
    initial: initialVector(model, frozen),
    warnings: modelState(model, frozen).warnings,
  });
}

function epochOptions(
  job: TrainerJob,
  model: Model,
  data: LabelledImages,
  plan: EpochPlan,
): EpochGraphOptions {
  const { loss, training, control = false } = job;
  const { lossOptions, clipping, proximal, frozen, dropout } = training;
  return {
    ...{ model, loss, lossOptions, plan, clipping, proximal, control, frozen, dropout },
    data: {
      ...{ dtype: 'uint8', examples: data.count, example: data.shape, scale: BYTE_SCALE },
      ...labelShape(loss),
    },
    optimizer: training,
    ratePerStep: variesWithinRun(training.schedule),
  };
}

/** A training as its engine returns it; `losses` end where one was no finite number. */
interface Trained {
  readonly update: Float32Array;
  readonly norm: number;
  readonly losses: Float32Array;
}

/** What runs the steps of a training. */
interface Engine {
  train(run: DeviceRun): Promise<Trained>;
  close(): Promise<void>;
}

/** All steps in one run of a Loop, on the CPU or on an accelerator that has Loops. */
async function openLoopEngine(
  { job, data, threads }: LocalJobOptions,
  graph: EpochGraph,
  device: Device,
): Promise<Engine> {
  const fixed = await fixedFeeds(job, data, graph);
  const failed = (error: unknown): never => {
    if (device === 'cpu') throw error;
    throw new ProtocolError('device-failed', `${device}: ${errorMessage(error)}`);
  };
  const session = await createSession(graph.model, threads, { device }).catch(failed);
  return {
    async train(run) {
      // The unclipped update stays inside: every output is copied.
      const { clipped, norm, losses } = EPOCH_OUTPUTS;
      const feeds = { ...fixed, ...(await runFeeds(graph, run)) };
      const results = await session.run(feeds, [clipped, norm, losses]).catch(failed);
      return {
        update: results[clipped]!.data as Float32Array,
        norm: scalarOf(results, norm),
        losses: results[losses]!.data as Float32Array,
      };
    },
    close: () => session.release(),
  };
}

/** Weights, order of examples, learning rates, and what dropouts drop. */
async function runFeeds({ model, layout }: EpochGraph, run: DeviceRun) {
  const { Tensor } = await loadOrt();
  const shapes = new Map(
    model.graph.inputs.map(({ name, shape }) => [name, shape.map(Number)] as const),
  );
  const { vector, order, rates, words, control } = run;
  const shaped = (name: string) => shapes.get(name)!;
  const feeds: Record<string, Tensor> = {
    [EPOCH_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
    [EPOCH_INPUTS.order]: new Tensor('int32', order, shaped(EPOCH_INPUTS.order)),
    [EPOCH_INPUTS.learningRate]: new Tensor('float32', rates, shaped(EPOCH_INPUTS.learningRate)),
  };
  if (words !== undefined) {
    feeds[EPOCH_INPUTS.words] = new Tensor('int32', words, shaped(EPOCH_INPUTS.words));
  }
  if (control !== undefined) {
    feeds[EPOCH_INPUTS.control] = new Tensor('float32', control, [layout.parameters]);
  }
  return feeds;
}

/** A run for each step, between which everything stays on the GPU. */
async function openDeviceEngine(
  { job, data, threads }: LocalJobOptions,
  options: EpochGraphOptions,
): Promise<Engine> {
  const graphs = buildDeviceGraphs(options);
  const source = imageMinibatches(data, job.data.classes);
  const training = await DeviceTraining.open({ graphs, plan: options.plan, source, threads });
  return {
    async train(run) {
      const { vector, losses } = await training.run(run);
      const sizes = { layout: graphs.layout, clip: job.clippingNorm };
      return { ...clippedUpdate(run.vector, vector, sizes), losses };
    },
    close: () => training.close(),
  };
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
  readonly engine: Engine;
  readonly scorer: Scorer;
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
    const { engine, plan, training } = this.#parts;
    const { update, norm, losses } = await engine.train(this.#draw(vector, seed, context));
    checkFinite(losses, plan.steps, { update, norm });
    const trainingLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const examples = training.length;
    return { update, norm, trainingLoss, localSteps: plan.steps, examples };
  }

  async evaluate(vector: Float32Array, examplesMax: number): Promise<Evaluation> {
    this.#checkLength(vector);
    return this.#parts.scorer.score(vector, examplesMax);
  }

  async close(): Promise<void> {
    await this.#parts.engine.close();
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

  /** What follows from seed and round: order of examples, learning rates, what dropouts drop. */
  #draw(vector: Float32Array, seed: number, context: TrainingContext): DeviceRun {
    const { job, plan, training, graph } = this.#parts;
    const { learningRate, schedule } = job.training;
    const span = { steps: plan.steps, round: context.round, rounds: context.rounds };
    const rates = learningRates(learningRate, schedule, span);
    const count = plan.steps * plan.accumulation;
    const dropouts = graph.words / WORDS_PER_DROPOUT;
    return {
      vector,
      order: minibatchOrder(plan, training, createGenerator(seed)),
      rates: variesWithinRun(schedule) ? rates : rates.slice(0, 1),
      words:
        dropouts === 0
          ? undefined
          : dropoutWords(count, dropouts, createGenerator(seed + DROPOUT_STREAM)),
      control: job.control ? this.#checkedControl(context.control) : undefined,
    };
  }

  #checkedControl(control: Float32Array | undefined): Float32Array {
    const { parameters } = this.layout;
    if (control?.length === parameters) return control;
    const what = `a control variate of ${control?.length ?? 0} elements for ${parameters}`;
    throw new ProtocolError('model-mismatch', what);
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
function checkFinite(
  losses: Float32Array,
  steps: number,
  { update, norm }: Pick<Trained, 'update' | 'norm'>,
): void {
  const step = losses.findIndex((loss) => !Number.isFinite(loss));
  if (step >= 0) {
    const where = `the loss of step ${step + 1} of ${steps} is ${losses[step]}`;
    throw new ProtocolError('not-finite', `local training diverged: ${where}`);
  }
  if (Number.isFinite(norm) && update.every(Number.isFinite)) return;
  throw new ProtocolError(
    'not-finite',
    `local training diverged: the update has norm ${norm} (last loss ${losses.at(-1)})`,
  );
}
