import {
  buildCopyGraph,
  DEVICE_INPUTS,
  type DeviceGraph,
  type DeviceGraphs,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  LOSSES_KEPT,
  type Slot,
} from '@starling/autodiff';
import { elementCount, type ValueInfo } from '@starling/onnx';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { clippedUpdate } from './clip.ts';
import { pickRows } from './data/example-set.ts';
import {
  DeviceSession,
  type DeviceSessionOptions,
  type DeviceTensor,
  type HostValues,
} from './device-session.ts';
import { loadOrt } from './ort.ts';

/** What runs some steps of a training: a session with an epoch graph, or what stands for one. */
export interface EpochRunner {
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs: readonly string[],
  ): Promise<InferenceSession.OnnxValueMapType>;
  release(): Promise<void>;
}

export interface DeviceTrainingOptions extends DeviceSessionOptions {
  readonly graphs: DeviceGraphs;
}

interface Sessions {
  readonly upload: DeviceSession;
  readonly full: DeviceSession;
  readonly last: DeviceSession | undefined;
  readonly apply: DeviceSession | undefined;
  readonly readLosses: DeviceSession;
  readonly readState: DeviceSession;
}

type Numbers = Uint8Array | Int32Array | Float32Array;

/** One run, as it was fed. */
interface Run {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly steps: number;
  /** Minibatches that a step has at most. */
  readonly accumulation: number;
  readonly batchSize: number;
}

/** One minibatch of a run. */
interface Minibatch {
  readonly step: number;
  /** Its number among all places for minibatches. */
  readonly at: number;
  readonly isLast: boolean;
  /** Its share in the mean of its step. */
  readonly share: number;
}

/**
 * Stands for a session with an epoch graph, on WebGPU: one run for each minibatch, and weights,
 * what the optimiser remembers and losses stay in the GPU's memory from the first step to the
 * last. When a loss is no finite number the run ends, and the losses up to there are what counts.
 */
export class DeviceTraining implements EpochRunner {
  readonly #graphs: DeviceGraphs;
  readonly #sessions: Sessions;

  private constructor(graphs: DeviceGraphs, sessions: Sessions) {
    this.#graphs = graphs;
    this.#sessions = sessions;
  }

  /** @throws ProtocolError `device-failed` when there is no GPU, or it cannot run a node */
  static async open(options: DeviceTrainingOptions): Promise<DeviceTraining> {
    const { graphs, threads, profile, on = 'webgpu' } = options;
    const { slots, full, last, apply } = graphs;
    const opened: DeviceSession[] = [];
    const session = async (graph: DeviceGraph, to: 'device' | 'host', name: string) => {
      const named = profile === undefined ? {} : { profile: `${profile}-${name}` };
      const made = await DeviceSession.open(graph, to, { threads, on, ...named });
      opened.push(made);
      return made;
    };
    try {
      return new DeviceTraining(graphs, {
        upload: await session(buildCopyGraph(uploaded(graphs)), 'device', 'upload'),
        full: await session(full, 'device', 'full'),
        last: last && (await session(last, 'device', 'last')),
        apply: apply && (await session(apply, 'device', 'apply')),
        readLosses: await session(buildCopyGraph([slots.losses]), 'host', 'losses'),
        readState: await session(
          buildCopyGraph([...slots.weights, ...slots.states]),
          'host',
          'state',
        ),
      });
    } catch (error) {
      await Promise.all(opened.map((each) => each.release()));
      throw error;
    }
  }

  async run(feeds: Readonly<Record<string, Tensor>>): Promise<InferenceSession.OnnxValueMapType> {
    const { Tensor } = await loadOrt();
    const { slots, layout } = this.#graphs;
    const { after, statesAfter, losses: lossesOut, clipped, norm: normOut } = EPOCH_OUTPUTS;
    const { losses, state } = await this.#trained(feeds);
    const vector = joined(slots.weights, state);
    const before = feeds[EPOCH_INPUTS.vector]!.data as Float32Array;
    const clip = (feeds[EPOCH_INPUTS.clippingNorm]!.data as Float32Array)[0]!;
    const { update, norm } = clippedUpdate(before, vector, { layout, clip });
    const list = (values: Float32Array) => new Tensor('float32', values, [values.length]);
    return {
      [after]: list(vector),
      [statesAfter]: list(joined(slots.states, state)),
      [lossesOut]: list(losses),
      [clipped]: list(update),
      [normOut]: new Tensor('float32', Float32Array.of(norm), []),
    };
  }

  /** Losses of the steps, and the values of weights and states behind them. */
  async #trained(feeds: Readonly<Record<string, Tensor>>) {
    const { losses: slot } = this.#graphs.slots;
    const run = runOf(feeds);
    const held = new Map<string, DeviceTensor>();
    const losses: Float32Array[] = [];
    try {
      replace(
        held,
        await this.#sessions.upload.run(held, await initialValues(this.#graphs, feeds)),
      );
      for (let step = 0; step < run.steps; step++) {
        for (const minibatch of minibatchesOf(run, step))
          await this.#minibatch(held, run, minibatch);
        if (this.#graphs.apply !== undefined) await this.#apply(held, run, step);
        const taken = step + 1;
        if (taken % LOSSES_KEPT !== 0 && taken !== run.steps) continue;
        const read = await this.#sessions.readLosses.read(held);
        const newest = read.get(slot.name)!.slice(0, ((taken - 1) % LOSSES_KEPT) + 1);
        losses.push(newest);
        if (!newest.every(Number.isFinite)) break;
      }
      return { losses: concatenated(losses), state: await this.#sessions.readState.read(held) };
    } finally {
      for (const tensor of held.values()) tensor.dispose();
    }
  }

  async #minibatch(held: Map<string, DeviceTensor>, run: Run, minibatch: Minibatch): Promise<void> {
    const { full, last } = this.#sessions;
    const { isLast } = minibatch;
    const graph = isLast ? this.#graphs.last! : this.#graphs.full;
    const feeds = await minibatchFeeds(graph, run, minibatch);
    replace(held, await (isLast ? last! : full).run(held, feeds));
  }

  async #apply(held: Map<string, DeviceTensor>, run: Run, step: number): Promise<void> {
    const feeds = await numberFeeds(this.#graphs.apply!, run, { step, share: 1 });
    replace(held, await this.#sessions.apply!.run(held, feeds));
  }

  /** Writes the files of `profile`. */
  endProfiling(): void {
    for (const session of Object.values(this.#sessions)) session?.endProfiling();
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session?.release();
  }
}

function runOf(feeds: Readonly<Record<string, Tensor>>): Run {
  const { dims } = feeds[EPOCH_INPUTS.order]!;
  const accumulation = dims.length === 2 ? 1 : dims[1]!;
  return { feeds, steps: dims[0]!, accumulation, batchSize: dims.at(-1)! };
}

/** The minibatches of a step, by the tables that an epoch graph would read. */
function minibatchesOf({ feeds, accumulation }: Run, step: number): readonly Minibatch[] {
  const counts = feeds[EPOCH_INPUTS.minibatches]?.data as BigInt64Array | undefined;
  const flags = feeds[EPOCH_INPUTS.isLast]?.data as Uint8Array | undefined;
  const count = counts === undefined ? accumulation : Number(counts[step]);
  return Array.from({ length: count }, (_, i) => {
    const at = step * accumulation + i;
    return { step, at, isLast: flags?.[at] === 1, share: 1 / count };
  });
}

const inputsOf = ({ model }: DeviceGraph): ReadonlyMap<string, ValueInfo> =>
  new Map(model.graph.inputs.map((input) => [input.name, input]));

/** What a graph is fed with for one minibatch. */
async function minibatchFeeds(graph: DeviceGraph, run: Run, minibatch: Minibatch) {
  const { feeds, batchSize } = run;
  const inputs = inputsOf(graph);
  const count = inputs.get(DEVICE_INPUTS.data)!.shape[0] as number;
  const { at } = minibatch;
  const order = feeds[EPOCH_INPUTS.order]!.data as Int32Array;
  const rows = order.subarray(at * batchSize, at * batchSize + count);
  const made: Record<string, Tensor> = { ...(await numberFeeds(graph, run, minibatch)) };
  for (const name of ['data', 'targets'] as const) {
    const input = inputs.get(DEVICE_INPUTS[name]);
    const table = feeds[EPOCH_INPUTS[name]];
    if (input === undefined || table === undefined) continue;
    const width = elementCount(table.dims.slice(1));
    made[input.name] = await tensorAs(input, pickRows(table.data as Numbers, rows, width));
  }
  for (const name of ['words', 'moves', 'noise'] as const) {
    const input = inputs.get(DEVICE_INPUTS[name]);
    if (input === undefined) continue;
    const all = feeds[EPOCH_INPUTS[name]]!.data as Int32Array;
    // One row for each minibatch; a smaller one takes the beginning of its row.
    const width = all.length / (run.steps * run.accumulation);
    const size = elementCount(input.shape.map(Number));
    made[input.name] = await tensorAs(input, all.subarray(at * width, at * width + size));
  }
  return made;
}

/** Values in the type and shape of a graph's input. */
async function tensorAs({ dtype, shape }: ValueInfo, values: Numbers): Promise<Tensor> {
  const { Tensor } = await loadOrt();
  const dims = shape.map(Number);
  if (dtype === 'int64') return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  if (dtype === 'int32') return new Tensor('int32', Int32Array.from(values), dims);
  return new Tensor('float32', Float32Array.from(values), dims);
}

/** Those numbers of a step that the graph takes. */
async function numberFeeds(
  graph: DeviceGraph,
  { feeds }: Run,
  { step, share }: Pick<Minibatch, 'step' | 'share'>,
): Promise<HostValues> {
  const { Tensor } = await loadOrt();
  const inputs = inputsOf(graph);
  const number = (value: number) => new Tensor('float32', Float32Array.of(value), []);
  const made: Record<string, Tensor> = {};
  if (inputs.has(DEVICE_INPUTS.share)) made[DEVICE_INPUTS.share] = number(share);
  if (inputs.has(DEVICE_INPUTS.place)) {
    made[DEVICE_INPUTS.place] = new Tensor('int32', Int32Array.of(step % LOSSES_KEPT), []);
  }
  const tables = {
    [DEVICE_INPUTS.rate]: EPOCH_INPUTS.learningRate,
    [DEVICE_INPUTS.root]: EPOCH_INPUTS.root,
    [DEVICE_INPUTS.ratio]: EPOCH_INPUTS.ratio,
  };
  for (const [name, table] of Object.entries(tables)) {
    if (!inputs.has(name)) continue;
    const { data, dims } = feeds[table]!;
    made[name] = number((data as Float32Array)[dims.length === 0 ? 0 : step]!);
  }
  return made;
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
  ...slots.states,
  ...slots.zeros,
  ...slots.anchors,
  ...slots.control,
];

async function initialValues(
  { slots }: DeviceGraphs,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<HostValues> {
  const { Tensor } = await loadOrt();
  const values: Record<string, Tensor> = {};
  const cut = (list: readonly Slot[], input: string) => {
    if (list.length === 0) return;
    const from = feeds[input]!.data as Float32Array;
    let at = 0;
    for (const { name, shape } of list) {
      const size = elementCount(shape);
      values[name] = new Tensor('float32', from.subarray(at, at + size), shape);
      at += size;
    }
  };
  cut(slots.weights, EPOCH_INPUTS.current);
  cut(slots.states, EPOCH_INPUTS.states);
  cut(slots.anchors, EPOCH_INPUTS.vector);
  cut(slots.control, EPOCH_INPUTS.control);
  for (const { name, shape } of slots.zeros) {
    values[name] = new Tensor('float32', new Float32Array(elementCount(shape)), shape);
  }
  return values;
}

const joined = (slots: readonly Slot[], values: ReadonlyMap<string, Float32Array>): Float32Array =>
  concatenated(slots.map(({ name }) => values.get(name)!));

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
