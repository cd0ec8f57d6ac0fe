// One run of training twice: as the epoch graph has it, and by the graphs of single steps.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  buildDeviceGraphs,
  buildEpochGraph,
  createGenerator,
  type DeviceGraph,
  type DeviceGraphs,
  dropoutWords,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraphOptions,
  type EpochPlan,
  imageMoves,
  initialVector,
  minibatchOrder,
  movesImages,
  NOISE_WORDS,
  NUMBERS_PER_MOVE,
  noiseWords,
  optimizerSettings,
  orderShape,
  type Precision,
  planEpochs,
  stepTables,
  WORDS_PER_DROPOUT,
  zooModel,
} from '@starling/autodiff';
import { elementCount, type Model, type Node, scalar } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import { DeviceTraining, type EpochRunner } from '../../packages/trainer/src/device-training.ts';
import { createSession, loadOrt, tensorFeeds } from '../../packages/trainer/src/ort.ts';
import { roundedHalves } from '../helpers/rounded-halves.ts';
import type { Comparison, TrainingCase } from './training-case.ts';

interface Prepared {
  readonly options: EpochGraphOptions;
  readonly plan: EpochPlan;
  readonly feeds: Readonly<Record<string, Tensor>>;
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

async function prepare(given: TrainingCase): Promise<Prepared> {
  const { zoo, batchSize, steps, classes, rate, accumulation = 1, rest = 0, dropout } = given;
  const model = dropout ? withDropout(zooModel(zoo, 1)) : zooModel(zoo, 1);
  const [input] = model.graph.inputs;
  const example = input!.shape.slice(1).map(Number);
  const target = model.graph.outputs[0]!.shape.slice(1, -1).map(Number);
  const isText = input!.dtype === 'int64';
  const examples = (steps * accumulation - (rest > 0 ? 1 : 0)) * batchSize + rest;
  const generator = createGenerator(7);
  const draw = (count: number, below: number) =>
    Array.from({ length: count * examples }, () => generator.below(below));
  const data = draw(elementCount(example), isText ? 80 : 256);
  const labels = draw(elementCount(target), classes);
  const plan = planEpochs({ examples, batchSize, epochs: 1, accumulation });
  const options: EpochGraphOptions = {
    ...{ model, loss: 'softmax-cross-entropy', plan },
    data: {
      ...{ example, target },
      ...(isText ? { dtype: 'int32', scale: 1 } : { dtype: 'uint8', scale: 1 / 255 }),
    },
    ...given.change,
  };
  const indices = Int32Array.from({ length: examples }, (_, i) => i);
  const vector = initialVector(model, options.frozen);
  const { Tensor } = await loadOrt();
  const ints = (values: Int32Array, shape: readonly number[]) => new Tensor('int32', values, shape);
  const floats = (values: Float32Array) => new Tensor('float32', values, [values.length]);
  const { optimizer = optimizerSettings('sgd') } = options;
  const feeds: Record<string, Tensor> = {
    ...(await tensorFeeds(stepTables(plan, optimizer, { from: 0, to: plan.steps }))),
    ...(await drawnFeeds(options, plan)),
    [EPOCH_INPUTS.vector]: floats(vector),
    [EPOCH_INPUTS.current]: floats(vector),
    [EPOCH_INPUTS.data]: isText
      ? ints(Int32Array.from(data), [examples, ...example])
      : new Tensor('uint8', Uint8Array.from(data), [examples, ...example]),
    [EPOCH_INPUTS.targets]: ints(Int32Array.from(labels), [examples, ...target]),
    [EPOCH_INPUTS.order]: ints(
      minibatchOrder(plan, indices, createGenerator(3)),
      orderShape(plan, plan.steps),
    ),
    [EPOCH_INPUTS.learningRate]: new Tensor('float32', Float32Array.of(rate), []),
    [EPOCH_INPUTS.clippingNorm]: new Tensor('float32', Float32Array.of(1), []),
  };
  return { options, plan, feeds };
}

/** What only some graphs take: states at 0, a control variate, what is dropped and moved. */
async function drawnFeeds(options: EpochGraphOptions, plan: EpochPlan) {
  const { Tensor } = await loadOrt();
  const { words, layout, states } = buildDeviceGraphs(options);
  const { augment, data } = options;
  const batches = plan.steps * plan.accumulation;
  const leading = orderShape(plan, plan.steps).slice(0, -1);
  const feeds: Record<string, Tensor> = {};
  const ints = (name: string, values: Int32Array, each: readonly number[]) => {
    feeds[name] = new Tensor('int32', values, [...leading, ...each]);
  };
  const floats = (name: string, values: Float32Array) => {
    feeds[name] = new Tensor('float32', values, [values.length]);
  };
  if (words > 0) {
    const dropouts = words / WORDS_PER_DROPOUT;
    ints(EPOCH_INPUTS.words, dropoutWords(batches, dropouts, createGenerator(5)), [words]);
  }
  if (augment !== undefined && movesImages(augment)) {
    const rows = batches * plan.batchSize;
    const moves = imageMoves(augment, data.example, rows, createGenerator(6));
    ints(EPOCH_INPUTS.moves, moves, [plan.batchSize, NUMBERS_PER_MOVE]);
  }
  if (augment !== undefined && augment.noise > 0) {
    ints(EPOCH_INPUTS.noise, noiseWords(batches, createGenerator(8)), [NOISE_WORDS]);
  }
  if (states > 0) floats(EPOCH_INPUTS.states, new Float32Array(states));
  if (options.control) {
    const drawn = createGenerator(9);
    const control = Float32Array.from({ length: layout.parameters }, () => drawn.uniform() / 100);
    floats(EPOCH_INPUTS.control, control);
  }
  return feeds;
}

interface Trained {
  readonly losses: readonly number[];
  readonly vector: Float32Array;
  readonly update: Float32Array;
  readonly ms: number;
}

/** Behind one run of whatever does all steps. */
async function trained(runner: EpochRunner, feeds: Prepared['feeds']): Promise<Trained> {
  const { losses, after, clipped } = EPOCH_OUTPUTS;
  const started = performance.now();
  const results = await runner.run(feeds, [losses, after, clipped]);
  const ms = performance.now() - started;
  const values = (name: string) => results[name]!.data as Float32Array;
  return { losses: [...values(losses)], vector: values(after), update: values(clipped), ms };
}

const greatest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

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

/** Graphs in float16 as they compute on a device that has it. */
function onCpu({ full, last, apply, ...rest }: DeviceGraphs): DeviceGraphs {
  const each = (graph: DeviceGraph) => ({ ...graph, model: roundedHalves(graph.model) });
  return { ...rest, full: each(full), last: last && each(last), apply };
}

/** A whole training by the epoch graph, on the CPU. */
export async function trainEpoch(
  given: TrainingCase,
  precision: Precision,
): Promise<Pick<Trained, 'losses' | 'update'>> {
  const { options, feeds } = await prepare(given);
  const { model } = buildEpochGraph({ ...options, precision });
  const session = await createSession(precision === 'float16' ? roundedHalves(model) : model, 1);
  const made = await trained(session, feeds);
  await session.release();
  return made;
}

export async function trainBoth(given: TrainingCase, options: BothOptions): Promise<Comparison> {
  const { options: graph, plan, feeds } = await prepare(given);
  const session = await createSession(buildEpochGraph(graph).model, 1);
  const epoch = await trained(session, feeds);
  await session.release();
  const { precision } = given;
  const made = buildDeviceGraphs({ ...graph, precision });
  const graphs = precision === 'float16' && options.on === 'cpu' ? onCpu(made) : made;
  const training = await DeviceTraining.open({ graphs, threads: 1, ...options });
  const stepped = await trained(training, feeds);
  if (options.profile !== undefined) training.endProfiling();
  await training.release();
  return {
    steps: plan.steps,
    nodes: options.profile === undefined ? {} : nodesIn(options.profile),
    losses: { epoch: epoch.losses, steps: stepped.losses },
    weights: greatest(epoch.vector, stepped.vector),
    update: greatest(epoch.update, stepped.update),
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
