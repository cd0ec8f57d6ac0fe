import {
  buildEpochGraph,
  createGenerator,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type Generator,
  initialVector,
  outputShape,
  permutation,
} from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { type Model, readModel } from '@starling/onnx';
import type {
  ClientUpdate,
  Evaluation,
  PreparedJob,
  TrainerJob,
  VectorLayout,
} from '@starling/rounds';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type LabelledImages, splitDataset } from './dataset.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';
import { BYTE_SCALE, Scorer } from './scorer.ts';

export interface LocalJobOptions {
  readonly job: TrainerJob;
  readonly data: LabelledImages;
  readonly threads: number;
}

const STEPS_MAX = 1_000_000;

/**
 * A job in this process: sessions open, data resident.
 * @throws ProtocolError when model, settings and data do not fit together
 */
export async function openLocalJob({ job, data, threads }: LocalJobOptions): Promise<PreparedJob> {
  const model = readModel(job.model);
  const { training, validation } = splitDataset(data.count);
  // A peer with fewer examples than a batch trains on batches of what it has.
  const batchSize = Math.min(job.training.batchSize, training.length);
  checkTargets(job, outputShape(model, [batchSize, ...data.shape]), data.labels);
  const stepsPerEpoch = Math.ceil(training.length / batchSize);
  const steps = job.training.epochs * stepsPerEpoch;
  if (!(steps >= 1 && steps <= STEPS_MAX)) {
    throw new ProtocolError('job-limit', `${steps} local steps, at most ${STEPS_MAX}`);
  }
  const session = await createSession(epochGraph(job, model, data, { batchSize, steps }), threads);
  const { loss } = job;
  const scorer = await Scorer.open({ model, loss, data, indices: validation, threads });
  return new LocalJob(
    { job, data, training, batchSize, steps },
    initialVector(model),
    session,
    scorer,
  );
}

/** Labels, job and model agree on the classes; a label beyond the output would train nothing. */
function checkTargets(job: TrainerJob, output: readonly number[], labels: Uint8Array): void {
  const { classes } = job.data;
  if (job.loss !== 'softmax-cross-entropy') {
    throw new ProtocolError(
      'data-mismatch',
      `${job.loss}: IDX data sets hold classes, not numbers`,
    );
  }
  const outputs = output[1] ?? 0;
  if (outputs < classes) {
    throw new ProtocolError('model-mismatch', `${outputs} outputs for ${classes} classes`);
  }
  const bad = labels.find((label) => label >= classes);
  if (bad !== undefined) {
    throw new ProtocolError('data-mismatch', `label ${bad} in a job of ${classes} classes`);
  }
}

interface Plan {
  readonly batchSize: number;
  /** Minibatches of all local epochs. */
  readonly steps: number;
}

function epochGraph(job: TrainerJob, model: Model, data: LabelledImages, plan: Plan): Model {
  return buildEpochGraph({
    model,
    loss: job.loss,
    data: { dtype: 'uint8', examples: data.count, example: data.shape, scale: BYTE_SCALE },
    batchSize: plan.batchSize,
    steps: plan.steps,
    momentum: job.training.momentum,
  });
}

interface LocalJobParts extends Plan {
  readonly job: TrainerJob;
  readonly data: LabelledImages;
  /** Indices of the examples that train. */
  readonly training: Int32Array;
}

class LocalJob implements PreparedJob {
  readonly layout: VectorLayout;
  readonly initial: Float32Array;
  readonly #parts: LocalJobParts;
  readonly #session: InferenceSession;
  readonly #scorer: Scorer;
  #fixed: Record<string, Tensor> | undefined;

  constructor(
    parts: LocalJobParts,
    initial: Float32Array,
    session: InferenceSession,
    scorer: Scorer,
  ) {
    this.#parts = parts;
    this.#session = session;
    this.#scorer = scorer;
    this.initial = initial;
    this.layout = { parameters: initial.length, buffers: 0 };
  }

  async train(vector: Float32Array, seed: number): Promise<ClientUpdate> {
    this.#checkLength(vector);
    const { Tensor } = await loadOrt();
    const { steps, batchSize, training } = this.#parts;
    const order = batchOrder(this.#parts, createGenerator(seed));
    this.#fixed ??= await this.#fixedFeeds();
    const feeds = {
      ...this.#fixed,
      [EPOCH_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EPOCH_INPUTS.order]: new Tensor('int32', order, [steps, batchSize]),
    };
    // The unclipped update stays inside: every output is copied.
    const { clipped, norm, meanLoss } = EPOCH_OUTPUTS;
    const results = await this.#session.run(feeds, [clipped, norm, meanLoss]);
    const update = results[clipped]!.data as Float32Array;
    const length = scalarOf(results, norm);
    const trainingLoss = scalarOf(results, meanLoss);
    if (
      !Number.isFinite(length) ||
      !Number.isFinite(trainingLoss) ||
      !update.every(Number.isFinite)
    ) {
      throw new ProtocolError(
        'not-finite',
        `local training diverged (update norm ${length}, loss ${trainingLoss})`,
      );
    }
    return { update, norm: length, trainingLoss, localSteps: steps, examples: training.length };
  }

  async evaluate(vector: Float32Array, examplesMax: number): Promise<Evaluation> {
    this.#checkLength(vector);
    return this.#scorer.score(vector, examplesMax);
  }

  async close(): Promise<void> {
    await this.#session.release();
    await this.#scorer.close();
  }

  #checkLength(vector: Float32Array): void {
    if (vector.length !== this.initial.length) {
      throw new ProtocolError(
        'model-mismatch',
        `a vector of ${vector.length} elements for a model of ${this.initial.length}`,
      );
    }
  }

  async #fixedFeeds(): Promise<Record<string, Tensor>> {
    const { Tensor } = await loadOrt();
    const { data, job } = this.#parts;
    const number = (value: number) => new Tensor('float32', Float32Array.of(value), []);
    return {
      [EPOCH_INPUTS.data]: new Tensor('uint8', data.images, [data.count, ...data.shape]),
      [EPOCH_INPUTS.targets]: new Tensor('int32', Int32Array.from(data.labels), [data.count]),
      [EPOCH_INPUTS.learningRate]: number(job.training.learningRate),
      [EPOCH_INPUTS.clippingNorm]: number(job.clippingNorm),
    };
  }
}

/**
 * Which examples make each minibatch, [steps, batch]: a fresh permutation every epoch. The last,
 * ragged batch of an epoch is filled up from that permutation's start, so each example counts at
 * least once and the graph has one batch size.
 */
function batchOrder(
  { training, batchSize, steps }: LocalJobParts,
  generator: Generator,
): Int32Array {
  const stepsPerEpoch = Math.ceil(training.length / batchSize);
  const order = new Int32Array(steps * batchSize);
  for (let at = 0; at < order.length; at += stepsPerEpoch * batchSize) {
    const epoch = permutation(training.length, generator);
    for (let i = 0; i < stepsPerEpoch * batchSize; i++) {
      order[at + i] = training[epoch[i % training.length]!]!;
    }
  }
  return order;
}
