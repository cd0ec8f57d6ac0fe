import { createGenerator } from '@starling/autodiff';
import type { BlobHash } from '@starling/core';
import { type Model, tensorOf, writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerJob } from '@starling/rounds';
import { expect, onTestFinished, test } from 'vitest';
import { type ExampleSet, memorySource } from './data/example-set.ts';
import { type LocalJob, openLocalJob } from './local-job.ts';

const WIDTH = 4;
const COUNT = 900;
const RATE = 0.05;

/** y = x · w. */
const linear: Model = {
  graph: {
    name: 'linear',
    nodes: [{ name: 'y', op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'], attributes: new Map() }],
    initializers: new Map([['w', tensorOf('float32', [WIDTH, 1], [0, 0, 0, 0])]]),
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', WIDTH] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 1] }],
  },
};

/** Examples of a peer whose inputs are as large as `scale` says, and whose best weights are `w`. */
function examplesOf(seed: number, scale: readonly number[], w: readonly number[]): ExampleSet {
  const generator = createGenerator(seed);
  const inputs = Float32Array.from(
    { length: COUNT * WIDTH },
    (_, i) => 2 * (generator.uniform() - 0.5) * scale[i % WIDTH]!,
  );
  const targets = Float32Array.from({ length: COUNT }, (_, row) =>
    w.reduce((sum, weight, k) => sum + weight * inputs[row * WIDTH + k]!, 0),
  );
  return {
    info: {
      ...{ format: 'npy', count: COUNT, shape: [WIDTH], elements: { dtype: 'float32' } },
      target: { kind: 'numbers', width: 1 },
    },
    examples: { count: COUNT, inputs, targets },
  };
}

/** Unlike in what they see as in what they want. */
const PEERS = [
  examplesOf(1, [3, 0.4, 0.5, 1], [2, 1, 0, -1]),
  examplesOf(2, [0.4, 3, 0.5, 1], [-2, -1, 1, 1]),
  examplesOf(3, [0.5, 0.4, 3, 1], [0, 1, -2, 2]),
];

async function openPeers(control: boolean): Promise<readonly LocalJob[]> {
  const job: TrainerJob = {
    modelHash: '0'.repeat(64) as BlobHash,
    model: writeModel(linear),
    loss: 'mean-squared-error',
    training: { ...DEFAULT_TRAINING, batchSize: 1_000, epochs: 20, learningRate: RATE },
    clippingNorm: 100,
    data: {
      ...{ task: 'line', input: { dtype: 'float32', shape: [WIDTH] } },
      ...{ target: 'numbers', classes: 0 },
    },
    dataset: 'mine',
    ...(control && { control }),
  };
  const jobs = await Promise.all(
    PEERS.map((set) => openLocalJob({ job, source: memorySource(set), threads: 1 })),
  );
  onTestFinished(async () => {
    await Promise.all(jobs.map((each) => each.close()));
  });
  return jobs;
}

const meanOf = (vectors: readonly Float32Array[]) =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, each) => sum + each[i]!, 0) / vectors.length);
const plus = (a: Float32Array, b: Float32Array) => a.map((value, i) => value + b[i]!);

/** Mean squared error over the examples of all peers, and its gradient. */
function lossOf(vector: ArrayLike<number>) {
  const count = PEERS.length * COUNT;
  const gradient = new Array<number>(WIDTH).fill(0);
  let loss = 0;
  for (const { examples } of PEERS) {
    for (const [row, target] of examples.targets!.entries()) {
      const inputs = Array.from(examples.inputs.subarray(row * WIDTH, (row + 1) * WIDTH));
      const error = inputs.reduce((sum, input, k) => sum + input * vector[k]!, 0) - target;
      loss += error ** 2 / count;
      for (const [k, input] of inputs.entries()) gradient[k]! += (2 * error * input) / count;
    }
  }
  return { loss, gradient };
}

/** The least that any vector can have. */
function leastLoss(): number {
  let vector = new Array<number>(WIDTH).fill(0);
  for (let step = 0; step < 200; step++) {
    const { gradient } = lossOf(vector);
    vector = vector.map((value, k) => value - 0.2 * gradient[k]!);
  }
  return lossOf(vector).loss;
}

/** Algorithm 1, option II, with everybody in every round; FedAvg without `control`. */
async function train(rounds: number, control: boolean) {
  const jobs = await openPeers(control);
  let vector = jobs[0]!.initial;
  const zeros = new Float32Array(WIDTH);
  let [c, own] = [zeros, jobs.map(() => zeros)];
  for (let round = 0; round < rounds; round++) {
    const updates = await Promise.all(
      jobs.map((job, i) => {
        const correction = c.map((value, k) => value - own[i]![k]!);
        return job.train(vector, round, { round, rounds, ...(control && { control: correction }) });
      }),
    );
    own = updates.map(({ update, localSteps }, i) =>
      own[i]!.map((value, k) => value - c[k]! - update[k]! / (localSteps * RATE)),
    );
    c = meanOf(own);
    vector = plus(vector, meanOf(updates.map(({ update }) => update)));
  }
  return lossOf(vector).loss;
}

test('with control variates, unlike peers come to a lower loss in as many rounds', async () => {
  const [averaged, corrected] = [await train(40, false), await train(40, true)];
  const least = leastLoss();
  expect(averaged - least).toBeGreaterThan(0.3);
  expect(corrected - least).toBeLessThan(0.03);
});
