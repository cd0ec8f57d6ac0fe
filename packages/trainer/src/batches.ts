import {
  createGenerator,
  type EpochPlan,
  minibatchOrder,
  type Generator as NumberGenerator,
  stepsPerEpoch,
} from '@starling/autodiff';
import { assert } from '@starling/core';
import type { Tensor } from 'onnxruntime-node';
import { inputWidth, pickRows, sameKind } from './data/example-set.ts';
import { drawShards, planShards, readShard, type Shard } from './data/shards.ts';
import {
  type DataSource,
  type Examples,
  type SourceInfo,
  targetArray,
  targetWidth,
} from './data/source.ts';
import type { Split } from './data/split.ts';
import { inputTensor } from './inputs.ts';
import { type TargetForm, targetTensor } from './targets.ts';

/** What some steps are fed from. */
export interface Stretch {
  readonly steps: number;
  /** [examples, …example] */
  readonly data: Tensor;
  /** Absent where the graph takes none. */
  readonly targets: Tensor | undefined;
  /** Which rows of the data make each minibatch, as `minibatchOrder` has it. */
  readonly order: Int32Array;
  /** With local DP-SGD: examples of each step, and noise for its gradients, [steps, parameters]. */
  readonly sampled?: { readonly counts: BigInt64Array; readonly noise: Float32Array };
}

/** Minibatches of one training, in the order of its steps. */
export interface BatchReader {
  /** The next steps: at least one, at most `most`. */
  next(most: number): Promise<Stretch>;
}

/** Training examples; every reading with one seed gives the same minibatches. */
export interface Batches {
  /** Bytes of examples that are in memory at once. */
  readonly bytes: number;
  /**
   * @param step where to begin: to go on where another reading was broken off
   * @param key 32 secret bytes, with local DP-SGD: they decide in place of the seed
   */
  read(seed: number, step: number, key?: Uint8Array): BatchReader;
}

/** Seeds have 32 bits, the generator takes more: each purpose has a stream of its own. */
export const STREAM = 2 ** 32;
/** Streams before the first epoch's of a set that is read in shards. */
const EPOCH_STREAMS = 16;

/** Examples in the form that the graph takes, as tensors. */
export const examplesAsTensors = async (
  info: SourceInfo,
  examples: Examples,
  form: TargetForm | undefined,
) => ({
  data: await inputTensor(info, examples),
  targets: await targetTensor(form, examples),
});

export interface ResidentParts {
  readonly info: SourceInfo;
  readonly examples: Examples;
  /** Which of them train. */
  readonly indices: Int32Array;
  readonly plan: EpochPlan;
  readonly form: TargetForm | undefined;
}

/** All examples stay in memory; each epoch is a fresh permutation. */
export async function residentBatches(parts: ResidentParts): Promise<Batches> {
  const { info, examples, indices, plan, form } = parts;
  const { inputs, targets } = examples;
  const tensors = await examplesAsTensors(info, examples, form);
  return {
    bytes: inputs.byteLength + (targets?.byteLength ?? 0),
    read(seed, from) {
      const orders = new EpochOrders(plan, indices, createGenerator(seed));
      let step = from;
      return {
        async next(most) {
          const steps = Math.min(most, plan.steps - step);
          const order = orders.rows(step, step + steps);
          step += steps;
          return { steps, ...tensors, order };
        },
      };
    },
  };
}

/** Orders of one epoch after another; only the present one is kept. */
class EpochOrders {
  readonly #plan: EpochPlan;
  readonly #indices: Int32Array;
  readonly #generator: NumberGenerator;
  #epoch = -1;
  #order: Int32Array = new Int32Array();

  constructor(plan: EpochPlan, indices: Int32Array, generator: NumberGenerator) {
    this.#plan = { ...plan, epochs: 1, steps: stepsPerEpoch(plan) };
    this.#indices = indices;
    this.#generator = generator;
  }

  /** Rows of the steps `from` … `to − 1`; never asked for earlier epochs again. */
  rows(from: number, to: number): Int32Array {
    const { steps: perEpoch, accumulation, batchSize } = this.#plan;
    const perStep = accumulation * batchSize;
    const rows = new Int32Array((to - from) * perStep);
    for (let step = from; step < to; ) {
      const epoch = Math.floor(step / perEpoch);
      const end = Math.min(to, (epoch + 1) * perEpoch);
      const start = (step % perEpoch) * perStep;
      const part = this.#orderOf(epoch).subarray(start, start + (end - step) * perStep);
      rows.set(part, (step - from) * perStep);
      step = end;
    }
    return rows;
  }

  #orderOf(epoch: number): Int32Array {
    for (; this.#epoch < epoch; this.#epoch++) {
      this.#order = minibatchOrder(this.#plan, this.#indices, this.#generator);
    }
    return this.#order;
  }
}

export interface StreamedParts {
  readonly source: DataSource;
  readonly split: Split;
  readonly plan: EpochPlan;
  readonly form: TargetForm | undefined;
  /** Memory that one shard's examples take at most. */
  readonly shardBytes: number;
}

/**
 * Examples of a set that is larger than memory, in shards. What a shard leaves over, because it
 * makes no whole step, is copied before the next one's examples: minibatches are cut as if the
 * epoch were one list.
 */
export function streamedBatches(parts: StreamedParts): Batches {
  const { source, plan, shardBytes } = parts;
  const { size } = planShards(source.info, shardBytes);
  const rows = Math.min(size, source.info.count) + plan.accumulation * plan.batchSize;
  const inputs = roomFor(source.info, rows);
  const targets = targetArray(source.info.target, rows);
  const room = { inputs, targets };
  return {
    bytes: inputs.byteLength + (targets?.byteLength ?? 0),
    read: (seed, step) => new StreamReader({ ...parts, room, seed, step }),
  };
}

function roomFor(info: SourceInfo, rows: number) {
  const kinds = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };
  return new kinds[info.elements.dtype](rows * inputWidth(info));
}

interface StreamStart extends StreamedParts {
  /** Room for a shard's examples and what the last one left over. */
  readonly room: Pick<Examples, 'inputs' | 'targets'>;
  readonly seed: number;
  readonly step: number;
}

class StreamReader implements BatchReader {
  readonly #parts: StreamStart;
  #shards: Iterator<Shard> | undefined;
  #epoch: number;
  /** Steps of the epoch that were given out. */
  #step: number;
  /** Rows in the room that wait to be used, in order. */
  #queue: Int32Array = new Int32Array();
  #tensors: { readonly data: Tensor; readonly targets: Tensor | undefined } | undefined;

  constructor(parts: StreamStart) {
    this.#parts = parts;
    const perEpoch = stepsPerEpoch(parts.plan);
    this.#epoch = Math.floor(parts.step / perEpoch);
    this.#step = parts.step % perEpoch;
  }

  async next(most: number): Promise<Stretch> {
    const { plan } = this.#parts;
    const perStep = plan.accumulation * plan.batchSize;
    const perEpoch = stepsPerEpoch(plan);
    if (this.#step === perEpoch) {
      this.#epoch++;
      this.#step = 0;
      this.#shards = undefined;
    }
    if (this.#shards === undefined) await this.#beginEpoch();
    const left = this.#parts.split.training - this.#step * perStep;
    while (this.#queue.length < Math.min(perStep, left)) await this.#readNext();
    const isEnd = this.#queue.length === left;
    const whole = this.#queue.length / perStep;
    const steps = Math.min(most, isEnd ? Math.ceil(whole) : Math.floor(whole));
    const used = Math.min(steps * perStep, this.#queue.length);
    const order = new Int32Array(steps * perStep);
    order.set(this.#queue.subarray(0, used));
    this.#queue = this.#queue.subarray(used);
    this.#step += steps;
    return { steps, ...this.#tensors!, order };
  }

  /** Goes to the shard in which the present step begins; those before it are not read. */
  async #beginEpoch(): Promise<void> {
    const { source, split, shardBytes, seed, plan } = this.#parts;
    const drawn = seed + STREAM * (EPOCH_STREAMS + this.#epoch);
    const options = { bytesMax: shardBytes, split, part: 'training', seed: drawn } as const;
    this.#shards = drawShards(source.info, options);
    this.#queue = new Int32Array();
    let before = this.#step * plan.accumulation * plan.batchSize;
    for (;;) {
      const shard = this.#nextShard();
      if (shard.indices.length > before) {
        await this.#load(shard);
        this.#queue = this.#queue.subarray(before);
        return;
      }
      before -= shard.indices.length;
    }
  }

  async #readNext(): Promise<void> {
    await this.#load(this.#nextShard());
  }

  #nextShard(): Shard {
    const next = this.#shards!.next();
    assert(next.done !== true, 'an epoch has as many examples as were counted');
    return next.value;
  }

  /** Puts what waits to the front of the room, and the shard's examples behind it. */
  async #load(shard: Shard): Promise<void> {
    const { source, room, form } = this.#parts;
    const { info } = source;
    const [input, target] = [inputWidth(info), targetWidth(info.target)];
    const kept = this.#queue.length;
    // By a copy: rows that wait may lie where others go.
    const copy = sameKind(room.inputs, kept * input);
    room.inputs.set(pickRows(room.inputs, this.#queue, input, copy));
    if (room.targets !== null) {
      room.targets.set(pickRows(room.targets, this.#queue, target));
    }
    await readShard(source, shard, room, kept);
    const count = kept + shard.count;
    const queue = new Int32Array(kept + shard.indices.length);
    for (let i = 0; i < kept; i++) queue[i] = i;
    for (const [i, index] of shard.indices.entries()) queue[kept + i] = kept + index;
    this.#queue = queue;
    const inputs = room.inputs.subarray(0, count * input);
    const targets = room.targets?.subarray(0, count * target) ?? null;
    this.#tensors = await examplesAsTensors(info, { count, inputs, targets }, form);
  }
}
