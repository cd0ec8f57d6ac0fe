// Trains one model on the CPU and on WebGPU with the same run, and prints what came of it as JSON:
// a process of its own, since a WebGPU that failed once cannot be had again, and some faults abort.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  buildDeviceGraphs,
  buildEpochGraph,
  createGenerator,
  dropoutWords,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraphOptions,
  initialVector,
  minibatchOrder,
  orderShape,
  planEpochs,
  WORDS_PER_DROPOUT,
  zooModel,
} from '@starling/autodiff';
import { elementCount, type ValueInfo } from '@starling/onnx';
import { type DeviceRun, DeviceTraining } from '../../packages/trainer/src/device-training.ts';
import { createSession, loadOrt } from '../../packages/trainer/src/ort.ts';
import type { Comparison, TrainingCase } from './training-case.ts';

const [text, prefix] = process.argv.slice(2);
const {
  zoo,
  batchSize,
  steps,
  classes,
  rate,
  accumulation = 1,
  rest = 0,
  change,
}: TrainingCase = JSON.parse(text!);
const { Tensor } = await loadOrt();
const model = zooModel(zoo, 1);
const [input] = model.graph.inputs;
const example = input!.shape.slice(1).map(Number);
const target = (model.graph.outputs[0]!.shape.slice(1, -1) ?? []).map(Number);
const isText = input!.dtype === 'int64';

const examples = (steps * accumulation - (rest > 0 ? 1 : 0)) * batchSize + rest;
const generator = createGenerator(7);
const whole = elementCount(example) * examples;
const bytes = Uint8Array.from({ length: whole }, () => generator.below(isText ? 80 : 256));
const labels = Int32Array.from({ length: elementCount(target) * examples }, () =>
  generator.below(classes),
);
const plan = planEpochs({ examples, batchSize, epochs: 1, accumulation });
const options: EpochGraphOptions = {
  ...{ model, loss: 'softmax-cross-entropy', plan },
  data: {
    ...{ examples, example, target },
    ...(isText ? { dtype: 'int32', scale: 1 } : { dtype: 'uint8', scale: 1 / 255 }),
  },
  ...change,
};
const graphs = buildDeviceGraphs(options);
const indices = Int32Array.from({ length: examples }, (_, i) => i);
const run: DeviceRun = {
  vector: initialVector(model),
  order: minibatchOrder(plan, indices, createGenerator(3)),
  rates: Float32Array.of(rate),
  words:
    graphs.words === 0
      ? undefined
      : dropoutWords(
          plan.steps * plan.accumulation,
          graphs.words / WORDS_PER_DROPOUT,
          createGenerator(5),
        ),
  control: options.control
    ? Float32Array.from({ length: graphs.layout.parameters }, () => generator.uniform() / 100)
    : undefined,
};

function tensor({ dtype, shape }: ValueInfo, values: ArrayLike<number>) {
  const dims = shape.map(Number);
  if (dtype === 'uint8') return new Tensor(dtype, Uint8Array.from(values), dims);
  if (dtype === 'int32') return new Tensor(dtype, Int32Array.from(values), dims);
  if (dtype === 'float32') return new Tensor(dtype, Float32Array.from(values), dims);
  throw new Error(`${dtype} is not fed`);
}

async function onCpu() {
  const graph = buildEpochGraph(options);
  const session = await createSession(graph.model, 1);
  const types = new Map(graph.model.graph.inputs.map((each) => [each.name, each] as const));
  const values = {
    [EPOCH_INPUTS.vector]: run.vector,
    [EPOCH_INPUTS.data]: bytes,
    [EPOCH_INPUTS.targets]: labels,
    [EPOCH_INPUTS.order]: run.order,
    [EPOCH_INPUTS.learningRate]: run.rates,
    [EPOCH_INPUTS.clippingNorm]: [1e9],
    ...(run.control && { [EPOCH_INPUTS.control]: run.control }),
    ...(run.words && { [EPOCH_INPUTS.words]: run.words }),
  };
  const feeds = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, tensor(types.get(name)!, value)]),
  );
  const started = performance.now();
  const results = await session.run(feeds, [EPOCH_OUTPUTS.losses, EPOCH_OUTPUTS.update]);
  const update = results[EPOCH_OUTPUTS.update]!.data as Float32Array;
  return {
    losses: [...(results[EPOCH_OUTPUTS.losses]!.data as Float32Array)],
    vector: run.vector.map((value, i) => value + update[i]!),
    ms: performance.now() - started,
  };
}

/** Rows of a table with `width` elements each. */
const picked = (table: ArrayLike<number>, rows: Int32Array, width: number) =>
  Array.from({ length: rows.length * width }, (_, i) => {
    return table[rows[Math.floor(i / width)]! * width + (i % width)]!;
  });

async function onWebGpu() {
  const training = await DeviceTraining.open({
    ...{ graphs, plan, threads: 1, profile: prefix! },
    source: {
      async read(rows, inputs) {
        return {
          data: tensor(inputs.data, picked(bytes, rows, elementCount(example))),
          targets:
            inputs.targets && tensor(inputs.targets, picked(labels, rows, elementCount(target))),
        };
      },
    },
  });
  const started = performance.now();
  const { losses, vector } = await training.run(run);
  const ms = performance.now() - started;
  training.endProfiling();
  await training.close();
  return { losses: [...losses], vector, ms };
}

/** How many nodes ran where, by the profiles that ONNX Runtime wrote. */
function nodes(): Comparison['nodes'] {
  const found: Record<string, number> = {};
  for (const file of readdirSync(dirname(prefix!))) {
    if (!file.startsWith(basename(prefix!))) continue;
    const events = JSON.parse(readFileSync(join(dirname(prefix!), file), 'utf8'));
    for (const { cat, args } of events) {
      if (cat !== 'Node' || args?.provider === undefined) continue;
      found[args.provider] = (found[args.provider] ?? 0) + 1;
    }
  }
  return found;
}

const cpu = await onCpu();
const gpu = await onWebGpu();
const comparison: Comparison = {
  steps: orderShape(plan)[0]!,
  nodes: nodes(),
  losses: { cpu: cpu.losses, webgpu: gpu.losses },
  weights: cpu.vector.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - gpu.vector[i]!)),
    0,
  ),
  ms: { cpu: cpu.ms, webgpu: gpu.ms },
};
console.log(JSON.stringify(comparison));
