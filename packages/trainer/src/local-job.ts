import {
  type Augmentation,
  buildDeviceGraphs,
  buildEpochGraph,
  EPOCH_INPUTS,
  type EpochGraph,
  type EpochGraphOptions,
  type EpochPlan,
  initialVector,
  modelState,
  type Precision,
  planEpochs,
  planSamples,
  trainedModel,
  VectorSplit,
  variesWithinRun,
} from '@starling/autodiff';
import { errorMessage, ProtocolError } from '@starling/core';
import { type Model, readModel } from '@starling/onnx';
import type { ExampleCost } from '@starling/privacy';
import type {
  ClientUpdate,
  Evaluation,
  PreparedJob,
  TrainerJob,
  TrainingContext,
  VectorLayout,
} from '@starling/rounds';
import { type Batches, residentBatches, streamedBatches } from './batches.ts';
import { type ExampleSet, pickExamples } from './data/example-set.ts';
import { exampleBytes, loadResident, residentBytes } from './data/resident.ts';
import { drawShards, readShard } from './data/shards.ts';
import { type DataSource, type SourceInfo, targetArray } from './data/source.ts';
import { SPLIT_SEED, Split } from './data/split.ts';
import { type Device, ON_CPU, type Place } from './device.ts';
import { DeviceTraining, type EpochRunner } from './device-training.ts';
import { checkMemory, leastBytes } from './estimate.ts';
import { residentData } from './inputs.ts';
import { type Checkpoint, LocalTraining, type TrainingHooks } from './local-training.ts';
import { createSession } from './ort.ts';
import {
  checkExampleNoise,
  type SampledParts,
  sampledBatches,
  samplingRate,
} from './sampled-batches.ts';
import { Scorer } from './scorer.ts';
import { type TargetForm, targetForm } from './targets.ts';

export interface LocalJobOptions {
  readonly job: TrainerJob;
  readonly source: DataSource;
  readonly threads: number;
  /** What is changed at random in training examples. */
  readonly augment?: Augmentation | undefined;
  /** Bytes that this process may take; without bound unless told. */
  readonly memory?: number;
  /** Where the job trains, `ON_CPU` unless told; it is always evaluated there. */
  readonly place?: Place;
}

/** A job in this process, with what can be said of its model. */
export interface LocalJob extends Omit<PreparedJob, 'train'> {
  readonly warnings: readonly string[];
  /** Minibatches of one training. */
  readonly steps: number;
  /** Whether the data set is read in shards, because it is larger than memory. */
  readonly streamed: boolean;
  train(
    vector: Float32Array,
    seed: number,
    context?: TrainingContext,
    hooks?: TrainingHooks,
  ): Promise<ClientUpdate>;
}
export type { Checkpoint };

/** Validation examples that are scored after an epoch, to see whether it was better. */
const VALIDATION_MAX = 10_000;
const STEPS_MAX = 10_000_000;
/** What ONNX Runtime and V8 take at work, beyond the least. */
const RUNTIME_BYTES = 64 * 2 ** 20;
/** Part of the memory beside all that, which examples may take. */
const DATA_SHARE = 0.4;
/** More in a shard would only make pauses between runs longer. */
const SHARD_BYTES_MAX = 256 * 2 ** 20;
/** Validation examples of a streamed set that stay in memory, as a part of a shard. */
const VALIDATION_SHARE = 0.25;

/**
 * A job in this process: sessions open, data resident where they fit.
 * @throws ProtocolError when model, settings and data do not fit together
 */
export async function openLocalJob(options: LocalJobOptions): Promise<LocalJob> {
  const { job, source, threads, memory = Number.POSITIVE_INFINITY, augment } = options;
  const { device, precision } = options.place ?? ON_CPU;
  const { exampleNoise } = job;
  const whole = readModel(job.model);
  const model = trainedModel(whole, job.training);
  const { info } = source;
  checkClasses(job, info);
  const examplesSplit = new Split(info.count, { seed: SPLIT_SEED });
  // A peer with fewer examples than a batch trains on batches of what it has.
  const stepsMax = job.training.steps;
  const planned = exampleNoise === undefined ? planEpochs : planSamples;
  const plan = planned({ ...job.training, stepsMax, examples: examplesSplit.training });
  const minibatches = plan.steps * plan.accumulation;
  if (minibatches > STEPS_MAX) {
    throw new ProtocolError('job-limit', `${minibatches} local minibatches, at most ${STEPS_MAX}`);
  }
  const split = new VectorSplit(model, job.training);
  const launched = initialVector(model, job.training.frozen);
  const graphOptions = epochOptions({ job, model, info, plan, augment, precision });
  const graph = buildEpochGraph(graphOptions);
  checkOutputs(job, graph);
  const targets = graph.model.graph.inputs.find(({ name }) => name === EPOCH_INPUTS.targets);
  const form = targetForm(info.target, targets, job.data.classes);
  const elements = graph.layout.parameters + graph.layout.buffers;
  // Noise, the sum of gradients and one example's gradient are vectors as well.
  const vectors = exampleNoise === undefined ? elements : 2 * elements;
  const least = leastBytes({ model, elements: vectors, batchSize: plan.batchSize });
  const room = dataRoom({ info, plan, least, memory });
  if (exampleNoise !== undefined) {
    checkExampleNoise(job.training.patience, room.shardBytes !== undefined);
  }
  const parts = {
    ...{ source, split: examplesSplit, plan, form, room },
    hiding: exampleNoise && { noise: exampleNoise, parameters: graph.layout.parameters },
  };
  const examples = await openExamples(parts);
  const session =
    device === 'webgpu'
      ? await DeviceTraining.open({ graphs: buildDeviceGraphs(graphOptions), threads })
      : await openLoop(graph, threads, device);
  let opened: Promise<Scorer> | undefined;
  const scorer = () => {
    opened ??= openScorer({ job, model: whole, examples, threads });
    return opened;
  };
  return new OpenJob({
    ...{ job, plan, split, examples, streamed: room.shardBytes !== undefined, scorer },
    training: new LocalTraining({
      ...{ job, plan, graph, session, augment, batches: examples.batches },
      ...{ split, example: info.shape, examples: examplesSplit.training },
      validate: async (vector) => {
        const score = await (await scorer()).score(vector, VALIDATION_MAX);
        return score.lossSum / score.examples;
      },
    }),
    close: async () => {
      await session.release();
      await source.close();
      await (await opened)?.close();
    },
    ...{ initial: split.shared(launched), personal: split.own(launched) },
    exampleCost: exampleNoise && {
      multiplier: exampleNoise.noiseMultiplier,
      rate: samplingRate(plan, examplesSplit.training),
      steps: plan.steps,
    },
    warnings: [...modelState(model, job.training.frozen).warnings, ...split.warnings],
  });
}

interface ScorerParts {
  readonly job: TrainerJob;
  readonly model: Model;
  readonly examples: OpenExamples;
  readonly threads: number;
}

async function openScorer({ job, model, examples, threads }: ScorerParts): Promise<Scorer> {
  const { set, indices } = await examples.validation();
  const { loss, training, data } = job;
  const { lossOptions, frozen, metrics } = training;
  return Scorer.open({
    ...{ model, loss, lossOptions, frozen, set, indices, threads, classes: data.classes },
    metrics,
  });
}

interface GraphParts {
  readonly job: TrainerJob;
  readonly model: Model;
  readonly info: SourceInfo;
  readonly plan: EpochPlan;
  readonly augment: Augmentation | undefined;
  readonly precision: Precision;
}

/** What a job's epoch graph is made from. */
export function epochOptions(parts: GraphParts): EpochGraphOptions {
  const { job, model, info, plan, augment, precision } = parts;
  const { loss, training, control = false } = job;
  const { lossOptions, clipping, proximal, frozen, personal, dropout } = training;
  return {
    ...{ model, loss, lossOptions, plan, clipping, proximal, control, dropout, augment },
    ...{ frozen, personal, precision },
    data: residentData(model, info, loss),
    optimizer: training,
    ratePerStep: variesWithinRun(training.schedule),
    exampleClipping: job.exampleNoise?.clippingNorm,
  };
}

/** All steps in one run of a Loop, on the CPU or on an accelerator that has Loops. */
export async function openLoop(
  graph: EpochGraph,
  threads: number,
  device: Device,
): Promise<EpochRunner> {
  const failed = (error: unknown): never => {
    if (device === 'cpu') throw error;
    throw new ProtocolError('device-failed', `${device}: ${errorMessage(error)}`);
  };
  const session = await createSession(graph.model, threads, { device }).catch(failed);
  return {
    run: (feeds, outputs) => session.run(feeds, outputs).catch(failed),
    release: () => session.release(),
  };
}

interface RoomInput {
  readonly info: SourceInfo;
  readonly plan: EpochPlan;
  /** Bytes that training takes beside the data. */
  readonly least: number;
  readonly memory: number;
}

interface DataRoom {
  /** Bytes of one shard, where not all examples fit; else undefined. */
  readonly shardBytes: number | undefined;
}

/**
 * How much memory the examples get.
 * @throws ProtocolError `job-limit` before any is taken
 */
function dataRoom({ info, plan, least, memory }: RoomInput): DataRoom {
  const room = DATA_SHARE * Math.max(0, memory - least - RUNTIME_BYTES);
  const all = residentBytes(info);
  if (all <= room) return { shardBytes: undefined };
  const step = plan.accumulation * plan.batchSize * exampleBytes(info);
  // At once there are a shard, what the last one left over, a block on its way, and validation.
  checkMemory(least + Math.min(all, 2 * step), memory);
  return { shardBytes: Math.min(SHARD_BYTES_MAX, Math.max(step, (room - step) / 2)) };
}

interface ExampleParts {
  readonly source: DataSource;
  readonly split: Split;
  readonly plan: EpochPlan;
  readonly form: TargetForm | undefined;
  readonly room: DataRoom;
  /** With local DP-SGD. */
  readonly hiding: Pick<SampledParts, 'noise' | 'parameters'> | undefined;
}

/** Training examples, and how to get at those that validate. */
interface OpenExamples {
  readonly batches: Batches;
  readonly validation: () => Promise<{ readonly set: ExampleSet; readonly indices: Int32Array }>;
}

async function openExamples(parts: ExampleParts): Promise<OpenExamples> {
  const { source, split, plan, form, room, hiding } = parts;
  const { info } = source;
  const { shardBytes } = room;
  if (shardBytes !== undefined) {
    return {
      batches: streamedBatches({ source, split, plan, form, shardBytes }),
      validation: () => validationOf(source, split, shardBytes),
    };
  }
  const examples = await loadResident(source, Number.POSITIVE_INFINITY);
  const indices = split.indices('training');
  const resident = { info, examples, indices, plan, form };
  return {
    batches: hiding
      ? await sampledBatches({ ...resident, ...hiding })
      : await residentBatches(resident),
    validation: async () => ({ set: { info, examples }, indices: split.indices('validation') }),
  };
}

/**
 * The validation examples of a set that is read in shards: as many as a part of a shard holds, from
 * places all over it. Read once, when they are first asked for.
 */
async function validationOf(source: DataSource, split: Split, shardBytes: number) {
  const { info } = source;
  const most = Math.max(1, Math.floor((VALIDATION_SHARE * shardBytes) / exampleBytes(info)));
  const count = Math.min(most, split.validating);
  const options = {
    bytesMax: shardBytes / 4,
    split,
    part: 'validation',
    seed: SPLIT_SEED,
  } as const;
  const kinds = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };
  const Kind = kinds[info.elements.dtype];
  const width = info.shape.reduce((product, dim) => product * dim, 1);
  const inputs = new Kind(count * width);
  const targets = targetArray(info.target, count);
  let found = 0;
  for (const shard of drawShards(info, options)) {
    const rows = shard.indices.subarray(0, count - found);
    const read = {
      count: shard.count,
      inputs: new Kind(shard.count * width),
      targets: targetArray(info.target, shard.count),
    };
    await readShard(source, shard, read, 0);
    const picked = pickExamples(info, read, rows);
    inputs.set(picked.inputs, found * width);
    if (picked.targets !== null) {
      targets?.set(picked.targets, (found * picked.targets.length) / Math.max(1, picked.count));
    }
    found += rows.length;
    if (found === count) break;
  }
  const set: ExampleSet = { info: { ...info, count }, examples: { count, inputs, targets } };
  return { set, indices: Int32Array.from({ length: count }, (_, i) => i) };
}

interface OpenJobParts {
  readonly job: TrainerJob;
  readonly plan: EpochPlan;
  readonly split: VectorSplit;
  readonly training: LocalTraining;
  readonly streamed: boolean;
  readonly scorer: () => Promise<Scorer>;
  readonly close: () => Promise<void>;
  readonly initial: Float32Array;
  /** A peer's own weights as launched. */
  readonly personal: Float32Array;
  readonly exampleCost: ExampleCost | undefined;
  readonly warnings: readonly string[];
}

class OpenJob implements LocalJob {
  readonly layout: VectorLayout;
  readonly initial: Float32Array;
  readonly warnings: readonly string[];
  readonly steps: number;
  readonly streamed: boolean;
  readonly exampleCost: ExampleCost | undefined;
  readonly #parts: OpenJobParts;

  constructor(parts: OpenJobParts) {
    this.#parts = parts;
    this.initial = parts.initial;
    this.warnings = parts.warnings;
    this.layout = parts.split.layout;
    this.streamed = parts.streamed;
    this.exampleCost = parts.exampleCost;
    this.steps = parts.plan.epochs * parts.plan.batches;
  }

  async train(
    vector: Float32Array,
    seed: number,
    context: TrainingContext = { round: 0, rounds: 1 },
    hooks?: TrainingHooks,
  ): Promise<ClientUpdate> {
    const { training } = this.#parts;
    return training.train(this.#whole(vector, context.personal), seed, context, hooks);
  }

  async evaluate(
    vector: Float32Array,
    examplesMax: number,
    personal?: Float32Array,
  ): Promise<Evaluation> {
    const whole = this.#whole(vector, personal);
    return (await this.#parts.scorer()).score(whole, examplesMax);
  }

  async close(): Promise<void> {
    await this.#parts.close();
  }

  #whole(vector: Float32Array, personal = this.#parts.personal): Float32Array {
    return this.#parts.split.join(vector, personal);
  }
}

/** Labels beyond the job's classes would train nothing, but for one that does not count. */
function checkClasses({ data, training }: TrainerJob, { target }: SourceInfo): void {
  if (data.target === 'none' || (target.kind !== 'classes' && target.kind !== 'sequence')) return;
  const { ignoreIndex } = training.lossOptions;
  const most = ignoreIndex === data.classes ? data.classes + 1 : data.classes;
  if (target.count <= most) return;
  const what = `labels of ${target.count} classes in a job of ${data.classes}`;
  throw new ProtocolError('data-mismatch', what);
}

/** The model tells as many classes apart as the job names. */
function checkOutputs({ loss, data }: TrainerJob, { output }: EpochGraph): void {
  if (loss !== 'softmax-cross-entropy') return;
  const outputs = (data.target === 'sequence' ? output.at(-1) : output[1]) ?? 0;
  if (outputs >= data.classes) return;
  throw new ProtocolError('model-mismatch', `${outputs} outputs for ${data.classes} classes`);
}
