import {
  buildEpochGraph,
  buildStepGraph,
  createGenerator,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  initialVector,
  minibatchOrder,
  modelInput,
  optimizerSettings,
  planEpochs,
  stepTables,
} from '@starling/autodiff';
import { elementCount, type Model } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import { createSession, loadOrt, tensorFeeds } from './ort.ts';

export interface ThroughputOptions {
  /** A classifier of 10 classes. */
  readonly model: Model;
  readonly batchSize: number;
  readonly threads: number;
  /** A whole epoch in one run, or one run for each step. */
  readonly mode: 'loop' | 'step';
}

export interface Throughput {
  /** Trains on at least one minibatch more. @returns how many examples it was */
  run(): Promise<number>;
  close(): Promise<void>;
}

const EXAMPLES = 6_000;
const CLASSES = 10;

/** Training on random examples that lie in memory, to measure how fast it goes. */
export async function openThroughput(options: ThroughputOptions): Promise<Throughput> {
  return options.mode === 'loop' ? openLoop(options) : openSteps(options);
}

const exampleOf = (model: Model): readonly number[] =>
  modelInput(model)
    .shape.slice(1)
    .map((dim) => (typeof dim === 'number' ? dim : 1));

async function openLoop({ model, batchSize, threads }: ThroughputOptions): Promise<Throughput> {
  const { Tensor } = await loadOrt();
  const example = exampleOf(model);
  // Whole minibatches only: what is compared is a step of this size.
  const examples = EXAMPLES - (EXAMPLES % batchSize);
  const plan = planEpochs({ examples, batchSize, epochs: 1 });
  const data = { dtype: 'uint8', example, scale: 1 / 255 } as const;
  const graph = buildEpochGraph({ model, loss: 'softmax-cross-entropy', data, plan });
  const session = await createSession(graph.model, threads);
  const generator = createGenerator(1);
  const vector = initialVector(model);
  const indices = Int32Array.from({ length: examples }, (_, i) => i);
  const number = (value: number) => new Tensor('float32', Float32Array.of(value), []);
  const fixed = {
    ...(await tensorFeeds(stepTables(plan, optimizerSettings('sgd'), { from: 0, to: plan.steps }))),
    [EPOCH_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
    [EPOCH_INPUTS.current]: new Tensor('float32', vector, [vector.length]),
    [EPOCH_INPUTS.data]: new Tensor('uint8', randomBytes(examples * elementCount(example)), [
      examples,
      ...example,
    ]),
    [EPOCH_INPUTS.targets]: new Tensor('int32', randomLabels(examples), [examples]),
    [EPOCH_INPUTS.learningRate]: number(0.1),
    [EPOCH_INPUTS.clippingNorm]: number(10),
  };
  return {
    async run() {
      const order = minibatchOrder(plan, indices, generator);
      const feeds = {
        ...fixed,
        [EPOCH_INPUTS.order]: new Tensor('int32', order, [plan.steps, plan.batchSize]),
      };
      await session.run(feeds, [EPOCH_OUTPUTS.clipped, EPOCH_OUTPUTS.meanLoss]);
      return examples;
    },
    close: () => session.release(),
  };
}

async function openSteps({ model, batchSize, threads }: ThroughputOptions): Promise<Throughput> {
  const { Tensor } = await loadOrt();
  const example = exampleOf(model);
  const size = elementCount(example);
  const graph = buildStepGraph({ model, loss: 'softmax-cross-entropy', batchSize });
  const session = await createSession(graph.model, threads);
  const data = Float32Array.from(randomBytes(EXAMPLES * size), (byte) => byte / 255);
  const labels = randomLabels(EXAMPLES);
  let weights: Record<string, Tensor> = Object.fromEntries(
    graph.parameters.map(({ name, shape, input }) => {
      const { data: values } = model.graph.initializers.get(name)!;
      return [input, new Tensor('float32', Float32Array.from(values as Float32Array), shape)];
    }),
  );
  const learningRate = new Tensor('float32', Float32Array.of(0.1), []);
  const outputs = [graph.loss, ...graph.parameters.map(({ updated }) => updated)];
  let at = 0;
  return {
    async run() {
      at = at + batchSize > EXAMPLES ? 0 : at;
      const batch = data.slice(at * size, (at + batchSize) * size);
      const feeds = {
        ...weights,
        [graph.batch]: new Tensor('float32', batch, [batchSize, ...example]),
        [graph.target!]: new Tensor('int32', labels.slice(at, at + batchSize), [batchSize]),
        [graph.learningRate]: learningRate,
      };
      at += batchSize;
      const results = await session.run(feeds, outputs);
      weights = Object.fromEntries(
        graph.parameters.map(({ input, updated }) => [input, results[updated]!]),
      );
      return batchSize;
    },
    close: () => session.release(),
  };
}

function randomBytes(count: number): Uint8Array {
  const generator = createGenerator(2);
  return Uint8Array.from({ length: count }, () => generator.below(256));
}

function randomLabels(count: number): Int32Array {
  const generator = createGenerator(3);
  return Int32Array.from({ length: count }, () => generator.below(CLASSES));
}
