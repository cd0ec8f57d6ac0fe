import { createGenerator, zooModel } from '@starling/autodiff';
import type { BlobHash, Log } from '@starling/core';
import {
  type DataType,
  type Graph,
  GraphBuilder,
  type Model,
  type Node,
  scalar,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerJob } from '@starling/rounds';
import {
  byteImages,
  createTrainer,
  datasetCatalog,
  inspectOffer,
  type ProcessTrainer,
  type TrainerLimits,
  type TrainerOptions,
  writeDataset,
} from '@starling/trainer';

const childEntry = new URL('../../apps/cli/dist/trainer-child.js', import.meta.url);
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A trainer with 100 images of noise in ten classes, which are written to `folder`. */
export async function noiseTrainer(
  folder: string,
  limits: Partial<TrainerLimits>,
  change: Partial<Pick<TrainerOptions, 'device' | 'precision' | 'places' | 'log'>> = {},
): Promise<ProcessTrainer> {
  const generator = createGenerator(1);
  const draw = (count: number, below: number) =>
    Uint8Array.from({ length: count }, () => generator.below(below));
  const pixels = draw(78_400, 256);
  const data = byteImages({ shape: [28, 28], pixels, labels: draw(100, 10), classes: 10 });
  await writeDataset(folder, data, { task: 'noise', classes: 10 });
  const datasets = datasetCatalog([await inspectOffer('noise', folder, {})]);
  return createTrainer({ childEntry, datasets, log, limits, backoffMs: 1, ...change });
}

export function noiseJob(change: Partial<TrainerJob> = {}, epochs = 1): TrainerJob {
  return {
    modelHash: '0'.repeat(64) as BlobHash,
    model: writeModel(zooModel('mlp', 1)),
    loss: 'softmax-cross-entropy',
    training: { ...DEFAULT_TRAINING, epochs },
    clippingNorm: 10,
    data: {
      task: 'noise',
      input: { dtype: 'float32', shape: [784] },
      target: 'classes',
      classes: 10,
    },
    dataset: 'noise',
    ...change,
  };
}

/** Scales its input, copies it 64 times and keeps so many results for the way back. */
export function greedyModel(results: number): Model {
  const builder = new GraphBuilder();
  const input = builder.input('input', { dtype: 'float32', shape: [1, 784] });
  const scale = builder.constant(tensorOf('float32', [784], new Array(784).fill(1)), 'scale');
  const scaled = builder.add('Mul', [input, scale]);
  let wide = builder.add('Tile', [scaled, builder.constant(tensorOf('int64', [2], [1, 64]))]);
  for (let i = 0; i < results; i++) wide = builder.add('Sigmoid', [wide]);
  const weights = tensorOf('float32', [784 * 64, 10], new Array(7840 * 64).fill(0.01));
  const output = builder.add('MatMul', [wide, builder.constant(weights, 'weights')]);
  const { inputs, outputs, ...graph } = builder.finish('greedy', [output]);
  const open = (values: typeof inputs) =>
    values.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(inputs), outputs: open(outputs) } };
}

/** Halves its weighted input as often as 62 bits can say. */
export function loopingModel(): Model {
  const node = (op: string, inputs: readonly string[], output: string): Node => ({
    ...{ name: output, op, inputs, outputs: [output], attributes: new Map() },
  });
  const value = (name: string, dtype: DataType, shape: readonly (number | string)[]) => ({
    ...{ name, dtype, shape },
  });
  const scores = (name: string) => value(name, 'float32', ['batch', 10]);
  const body: Graph = {
    name: 'body',
    nodes: [node('Mul', ['state', 'half'], 'next'), node('Identity', ['going'], 'goes')],
    initializers: new Map([['half', scalar(0.5)]]),
    inputs: [value('count', 'int64', []), value('going', 'bool', []), scores('state')],
    outputs: [value('goes', 'bool', []), scores('next')],
  };
  const weights = tensorOf('float32', [784, 10], new Array(7840).fill(0.01));
  const loop: Node = {
    ...node('Loop', ['trips', 'yes', 'scores'], 'output'),
    attributes: new Map([['body', { kind: 'graph', value: body }]]),
  };
  return {
    graph: {
      name: 'looping',
      nodes: [node('MatMul', ['input', 'weights'], 'scores'), loop],
      initializers: new Map([
        ['weights', weights],
        ['trips', scalar(2 ** 62, 'int64')],
        ['yes', scalar(1, 'bool')],
      ]),
      inputs: [value('input', 'float32', ['batch', 784])],
      outputs: [scores('output')],
    },
  };
}
