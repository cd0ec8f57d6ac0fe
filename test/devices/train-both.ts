// One run of training twice: as the epoch graph has it, and by the graphs of single steps.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  buildDeviceGraphs,
  buildEpochGraph,
  createGenerator,
  type DeviceGraphs,
  dropoutWords,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraphOptions,
  type EpochPlan,
  initialVector,
  minibatchOrder,
  orderShape,
  planEpochs,
  WORDS_PER_DROPOUT,
  zooModel,
} from '@starling/autodiff';
import { elementCount, type Model, type Node, scalar, type ValueInfo } from '@starling/onnx';
import { type DeviceRun, DeviceTraining } from '../../packages/trainer/src/device-training.ts';
import { createSession, loadOrt } from '../../packages/trainer/src/ort.ts';
import type { Comparison, TrainingCase } from './training-case.ts';

interface Prepared {
  readonly options: EpochGraphOptions;
  readonly plan: EpochPlan;
  readonly graphs: DeviceGraphs;
  readonly run: DeviceRun;
  /** Bytes or indices, [examples, …example]. */
  readonly data: Uint8Array;
  /** [examples, …target] */
  readonly labels: Int32Array;
  /** Elements of one example, and of one target. */
  readonly widths: { readonly data: number; readonly labels: number };
}

/** The model with a dropout behind every ReLU. */
function withDropout({ graph }: Model): Model {
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.op !== 'Relu') return [node];
    const [y = ''] = node.outputs;
    const dropout = {
      name: `${y}/dropout`,
      op: 'Dropout',
      inputs: [`${y}/all`, 'ratio', 'trains'],
    };
    return [
      { ...node, outputs: [`${y}/all`] },
      { ...dropout, outputs: [y], attributes: new Map() },
    ];
  });
  const initializers = new Map(graph.initializers);
  initializers.set('ratio', scalar(0.3)).set('trains', scalar(1, 'bool'));
  return { graph: { ...graph, nodes, initializers } };
}

function prepare(given: TrainingCase): Prepared {
  const { zoo, batchSize, steps, classes, rate, accumulation = 1, rest = 0, dropout } = given;
  const model = dropout ? withDropout(zooModel(zoo, 1)) : zooModel(zoo, 1);
  const [input] = model.graph.inputs;
  const example = input!.shape.slice(1).map(Number);
  const target = model.graph.outputs[0]!.shape.slice(1, -1).map(Number);
  const isText = input!.dtype === 'int64';
  const examples = (steps * accumulation - (rest > 0 ? 1 : 0)) * batchSize + rest;
  const generator = createGenerator(7);
  const widths = { data: elementCount(example), labels: elementCount(target) };
  const draw = (count: number, below: number) =>
    Array.from({ length: count * examples }, () => generator.below(below));
  const data = Uint8Array.from(draw(widths.data, isText ? 80 : 256));
  const labels = Int32Array.from(draw(widths.labels, classes));
  const plan = planEpochs({ examples, batchSize, epochs: 1, accumulation });
  const options: EpochGraphOptions = {
    ...{ model, loss: 'softmax-cross-entropy', plan },
    data: {
      ...{ examples, example, target },
      ...(isText ? { dtype: 'int32', scale: 1 } : { dtype: 'uint8', scale: 1 / 255 }),
    },
    ...given.change,
  };
  const graphs = buildDeviceGraphs(options);
  const indices = Int32Array.from({ length: examples }, (_, i) => i);
  const dropouts = graphs.words / WORDS_PER_DROPOUT;
  const run: DeviceRun = {
    vector: initialVector(model, options.frozen),
    order: minibatchOrder(plan, indices, createGenerator(3)),
    rates: Float32Array.of(rate),
    words:
      dropouts === 0
        ? undefined
        : dropoutWords(plan.steps * plan.accumulation, dropouts, createGenerator(5)),
    control: options.control
      ? Float32Array.from({ length: graphs.layout.parameters }, () => generator.uniform() / 100)
      : undefined,
  };
  return { options, plan, graphs, run, data, labels, widths };
}

async function tensor({ dtype, shape }: ValueInfo, values: ArrayLike<number>) {
  const { Tensor } = await loadOrt();
  const dims = shape.map(Number);
  if (dtype === 'uint8') return new Tensor(dtype, Uint8Array.from(values), dims);
  if (dtype === 'int32') return new Tensor(dtype, Int32Array.from(values), dims);
  if (dtype === 'float32') return new Tensor(dtype, Float32Array.from(values), dims);
  throw new Error(`${dtype} is not fed`);
}

interface Trained {
  readonly losses: readonly number[];
  readonly vector: Float32Array;
  readonly ms: number;
}

async function byEpochGraph({ options, run, data, labels }: Prepared): Promise<Trained> {
  const { graph } = buildEpochGraph(options).model;
  const session = await createSession({ graph }, 1);
  const types = new Map(graph.inputs.map((each) => [each.name, each] as const));
  const values = {
    [EPOCH_INPUTS.vector]: run.vector,
    [EPOCH_INPUTS.data]: data,
    [EPOCH_INPUTS.targets]: labels,
    [EPOCH_INPUTS.order]: run.order,
    [EPOCH_INPUTS.learningRate]: run.rates,
    [EPOCH_INPUTS.clippingNorm]: [1e9],
    ...(run.control && { [EPOCH_INPUTS.control]: run.control }),
    ...(run.words && { [EPOCH_INPUTS.words]: run.words }),
  };
  const feeds: Record<string, Awaited<ReturnType<typeof tensor>>> = {};
  for (const [name, value] of Object.entries(values)) {
    feeds[name] = await tensor(types.get(name)!, value);
  }
  const started = performance.now();
  const results = await session.run(feeds, [EPOCH_OUTPUTS.losses, EPOCH_OUTPUTS.update]);
  const ms = performance.now() - started;
  const update = results[EPOCH_OUTPUTS.update]!.data as Float32Array;
  const losses = [...(results[EPOCH_OUTPUTS.losses]!.data as Float32Array)];
  await session.release();
  return { losses, vector: run.vector.map((value, i) => value + update[i]!), ms };
}

/** Rows of a table with `width` elements each. */
const picked = (table: ArrayLike<number>, rows: Int32Array, width: number) =>
  Array.from({ length: rows.length * width }, (_, i) => {
    return table[rows[Math.floor(i / width)]! * width + (i % width)]!;
  });

async function bySteps(prepared: Prepared, options: BothOptions): Promise<Trained> {
  const { graphs, plan, run, data, labels, widths } = prepared;
  const training = await DeviceTraining.open({
    ...{ graphs, plan, threads: 1, ...options },
    source: {
      async read(rows, inputs) {
        const { targets } = inputs;
        return {
          data: await tensor(inputs.data, picked(data, rows, widths.data)),
          targets: targets && (await tensor(targets, picked(labels, rows, widths.labels))),
        };
      },
    },
  });
  const started = performance.now();
  const { losses, vector } = await training.run(run);
  const ms = performance.now() - started;
  if (options.profile !== undefined) training.endProfiling();
  await training.close();
  return { losses: [...losses], vector, ms };
}

/** How many nodes ran where, by the profiles that ONNX Runtime wrote. */
function nodesIn(prefix: string): Comparison['nodes'] {
  const found: Record<string, number> = {};
  for (const file of readdirSync(dirname(prefix))) {
    if (!file.startsWith(basename(prefix))) continue;
    const events = JSON.parse(readFileSync(join(dirname(prefix), file), 'utf8'));
    for (const { cat, args } of events) {
      if (cat !== 'Node' || args?.provider === undefined) continue;
      found[args.provider] = (found[args.provider] ?? 0) + 1;
    }
  }
  return found;
}

export interface BothOptions {
  /** Where the steps run; the epoch graph always runs on the CPU. */
  readonly on: 'webgpu' | 'cpu';
  /** Beginning of the names of the steps' profiles. */
  readonly profile?: string;
}

export async function trainBoth(given: TrainingCase, options: BothOptions): Promise<Comparison> {
  const prepared = prepare(given);
  const epoch = await byEpochGraph(prepared);
  const stepped = await bySteps(prepared, options);
  return {
    steps: orderShape(prepared.plan)[0]!,
    nodes: options.profile === undefined ? {} : nodesIn(options.profile),
    losses: { epoch: epoch.losses, steps: stepped.losses },
    weights: epoch.vector.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - stepped.vector[i]!)),
      0,
    ),
    ms: { epoch: epoch.ms, steps: stepped.ms },
  };
}

/** Greatest difference of a loss, relative to the epoch graph's. */
export const worstLoss = ({ losses }: Comparison): number =>
  Math.max(
    ...losses.epoch.map(
      (loss, i) => Math.abs((losses.steps[i] ?? Number.NaN) - loss) / Math.abs(loss),
    ),
  );
