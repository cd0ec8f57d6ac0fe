import {
  buildCopyGraph,
  DEVICE_INPUTS,
  type DeviceGraph,
  type DeviceGraphs,
  type EpochPlan,
  LOSSES_KEPT,
  minibatches,
  type PlannedMinibatch,
  type Slot,
} from '@starling/autodiff';
import { elementCount, type ValueInfo } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import {
  DeviceSession,
  type DeviceSessionOptions,
  type DeviceTensor,
  type HostValues,
} from './device-session.ts';
import { loadOrt } from './ort.ts';

/** What feeds a minibatch: its examples and targets in the types that the graph takes. */
export interface MinibatchSource {
  /**
   * @param rows indices of the examples
   * @param inputs the graph's inputs for them
   */
  read(
    rows: Int32Array,
    inputs: { readonly data: ValueInfo; readonly targets: ValueInfo | undefined },
  ): Promise<{ readonly data: Tensor; readonly targets: Tensor | undefined }>;
}

export interface DeviceTrainingOptions extends DeviceSessionOptions {
  readonly graphs: DeviceGraphs;
  readonly plan: EpochPlan;
  readonly source: MinibatchSource;
}

/** One run, in the values that an epoch graph is fed with. */
export interface DeviceRun {
  readonly vector: Float32Array;
  /** Of `orderShape`. */
  readonly order: Int32Array;
  /** One element, or one for each step. */
  readonly rates: Float32Array;
  /** Words of all dropouts, minibatch by minibatch. */
  readonly words: Int32Array | undefined;
  /** SCAFFOLD's control variate. */
  readonly control: Float32Array | undefined;
  /** Number of steps to take, all unless told: a probe takes few. */
  readonly stepsMax?: number;
}

export interface DeviceResult {
  /** The vector behind the run. */
  readonly vector: Float32Array;
  /** Loss of each step; shorter when one was no finite number, which ends the run. */
  readonly losses: Float32Array;
}

interface Sessions {
  readonly upload: DeviceSession;
  readonly full: DeviceSession;
  readonly last: DeviceSession | undefined;
  readonly apply: DeviceSession | undefined;
  readonly readLosses: DeviceSession;
  readonly readWeights: DeviceSession;
}

/**
 * Trains on WebGPU, one run for each minibatch: weights, what the optimiser remembers and losses
 * stay in the GPU's memory from the first step of a run to its last.
 */
export class DeviceTraining {
  readonly #options: DeviceTrainingOptions;
  readonly #sessions: Sessions;

  private constructor(options: DeviceTrainingOptions, sessions: Sessions) {
    this.#options = options;
    this.#sessions = sessions;
  }

  /** @throws ProtocolError `device-failed` when there is no GPU, or it cannot run a node */
  static async open(options: DeviceTrainingOptions): Promise<DeviceTraining> {
    const { graphs, threads, profile, on = 'webgpu' } = options;
    const { slots } = graphs;
    const opened: DeviceSession[] = [];
    const session = async (
      graph: DeviceGraphs['full'],
      to: 'device' | 'host',
      name: string,
    ): Promise<DeviceSession> => {
      const named = profile === undefined ? {} : { profile: `${profile}-${name}` };
      const made = await DeviceSession.open(graph, to, { threads, on, ...named });
      opened.push(made);
      return made;
    };
    try {
      const { full, last, apply } = graphs;
      return new DeviceTraining(options, {
        upload: await session(buildCopyGraph(uploaded(graphs)), 'device', 'upload'),
        full: await session(full, 'device', 'full'),
        last: last && (await session(last, 'device', 'last')),
        apply: apply && (await session(apply, 'device', 'apply')),
        readLosses: await session(buildCopyGraph([slots.losses]), 'host', 'losses'),
        readWeights: await session(buildCopyGraph(slots.weights), 'host', 'weights'),
      });
    } catch (error) {
      await Promise.all(opened.map((each) => each.release()));
      throw error;
    }
  }

  async run(run: DeviceRun): Promise<DeviceResult> {
    const { plan, graphs } = this.#options;
    const held = new Map<string, DeviceTensor>();
    const { stepsMax = plan.steps } = run;
    const losses: Float32Array[] = [];
    try {
      replace(held, await this.#sessions.upload.run(held, await initialValues(graphs, run)));
      for (const minibatch of minibatches(plan)) {
        if (minibatch.step >= stepsMax) break;
        await this.#minibatch(held, run, minibatch);
        if (!minibatch.ends) continue;
        const taken = minibatch.step + 1;
        if (taken % LOSSES_KEPT !== 0 && taken !== stepsMax) continue;
        const read = await this.#sessions.readLosses.read(held);
        const kept = ((taken - 1) % LOSSES_KEPT) + 1;
        const newest = read.get(graphs.slots.losses.name)!.subarray(0, kept);
        losses.push(newest);
        if (!newest.every(Number.isFinite)) break;
      }
      const weights = await this.#sessions.readWeights.read(held);
      return { vector: joined(graphs.slots.weights, weights), losses: concatenated(losses) };
    } finally {
      for (const tensor of held.values()) tensor.dispose();
    }
  }

  async #minibatch(
    held: Map<string, DeviceTensor>,
    run: DeviceRun,
    minibatch: PlannedMinibatch,
  ): Promise<void> {
    const { plan, graphs } = this.#options;
    const { full, last, apply } = this.#sessions;
    const isLast = minibatch.size < plan.batchSize;
    const graph = isLast ? graphs.last! : graphs.full;
    const feeds = await this.#feeds(graph, run, minibatch);
    replace(held, await (isLast ? last! : full).run(held, feeds));
    if (graphs.apply === undefined || !minibatch.ends) return;
    replace(held, await apply!.run(held, await numberFeeds(graphs.apply, minibatch)));
  }

  async #feeds(
    graph: DeviceGraph,
    { order, words }: DeviceRun,
    minibatch: PlannedMinibatch,
  ): Promise<HostValues> {
    const { plan, graphs, source } = this.#options;
    const { Tensor } = await loadOrt();
    const input = inputsOf(graph);
    const { start, size } = minibatch;
    const { data, targets } = await source.read(order.subarray(start, start + size), {
      data: input.get(DEVICE_INPUTS.data)!,
      targets: input.get(DEVICE_INPUTS.targets),
    });
    const feeds: Record<string, Tensor> = { [DEVICE_INPUTS.data]: data };
    if (targets !== undefined) feeds[DEVICE_INPUTS.targets] = targets;
    if (graphs.words > 0) {
      const at = (start / plan.batchSize) * graphs.words;
      const own = words!.slice(at, at + graphs.words);
      feeds[DEVICE_INPUTS.words] = new Tensor('int32', own, [graphs.words]);
    }
    return { ...feeds, ...(await numberFeeds(graph, minibatch)) };
  }

  /** Writes the files of `profile`. */
  endProfiling(): void {
    for (const session of Object.values(this.#sessions)) session?.endProfiling();
  }

  async close(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session?.release();
  }
}

const inputsOf = ({ model }: DeviceGraph): ReadonlyMap<string, ValueInfo> =>
  new Map(model.graph.inputs.map((input) => [input.name, input]));

/** Those numbers of a minibatch that the graph takes. */
async function numberFeeds(graph: DeviceGraph, minibatch: PlannedMinibatch): Promise<HostValues> {
  const { Tensor } = await loadOrt();
  const inputs = inputsOf(graph);
  const { step, share } = minibatch;
  const int = (value: number) => new Tensor('int32', Int32Array.of(value), []);
  const all: Record<string, Tensor> = {
    [DEVICE_INPUTS.step]: int(step),
    [DEVICE_INPUTS.place]: int(step % LOSSES_KEPT),
    [DEVICE_INPUTS.share]: new Tensor('float32', Float32Array.of(share), []),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => inputs.has(name)));
}

/** What did not change stays; what did is freed at once, or old steps fill the GPU's memory. */
function replace(held: Map<string, DeviceTensor>, newer: ReadonlyMap<string, DeviceTensor>): void {
  for (const [name, tensor] of newer) {
    held.get(name)?.dispose();
    held.set(name, tensor);
  }
}

const uploaded = ({ slots }: DeviceGraphs): readonly Slot[] => [
  ...slots.weights,
  ...slots.zeros,
  ...slots.anchors,
  ...slots.control,
  slots.rate,
];

async function initialValues(graphs: DeviceGraphs, run: DeviceRun): Promise<HostValues> {
  const { Tensor } = await loadOrt();
  const { slots } = graphs;
  const values: Record<string, Tensor> = {};
  const cut = (list: readonly Slot[], from: Float32Array) => {
    let at = 0;
    for (const { name, shape } of list) {
      const size = elementCount(shape);
      values[name] = new Tensor('float32', from.subarray(at, at + size), shape);
      at += size;
    }
  };
  cut(slots.weights, run.vector);
  cut(slots.anchors, run.vector);
  if (run.control !== undefined) cut(slots.control, run.control);
  for (const { name, shape } of slots.zeros) {
    values[name] = new Tensor('float32', new Float32Array(elementCount(shape)), shape);
  }
  values[slots.rate.name] = new Tensor('float32', run.rates, slots.rate.shape);
  return values;
}

function joined(slots: readonly Slot[], values: ReadonlyMap<string, Float32Array>): Float32Array {
  return concatenated(slots.map(({ name }) => values.get(name)!));
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
