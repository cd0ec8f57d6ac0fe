import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { optimizerSettings } from '@starling/autodiff';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { findLavapipe } from './lavapipe.ts';
import { worstLoss } from './train-both.ts';
import type { Comparison, TrainingCase } from './training-case.ts';
import { missingVulkan, SOFTWARE_VULKAN, type VulkanEnvironment } from './vulkan.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const skipped = isFull ? missingVulkan() : 'full size only';
if (skipped !== undefined) console.log(`skipped: WebGPU: ${skipped}`);

const CHILD = fileURLToPath(new URL('./train-child.ts', import.meta.url));
const OUTPUT_MAX = 2 ** 24;

async function compare(
  given: TrainingCase,
  driver: VulkanEnvironment = SOFTWARE_VULKAN,
): Promise<Comparison> {
  const prefix = join(await temporaryDirectory(), 'profile');
  const args = ['--import', 'tsx', CHILD, JSON.stringify(given), prefix];
  const env = { ...process.env, ...driver };
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env,
    maxBuffer: OUTPUT_MAX,
  });
  return JSON.parse(stdout);
}

const BOUND = 1e-5;
const image = { batchSize: 8, steps: 20, classes: 10, rate: 0.05 } as const;
const text = { batchSize: 2, steps: 20, classes: 80, rate: 0.05 } as const;
const few = { batchSize: 2, steps: 5 } as const;
/** Batch normalisation over few examples makes much of a difference in the last bit. */
const slow = { batchSize: 3, steps: 2, rate: 0.001 } as const;
const by = (name: Parameters<typeof optimizerSettings>[0]) => ({
  // Their steps are as long as the rate, whatever the gradient.
  rate: 0.001,
  change: { optimizer: optimizerSettings(name) },
});
const terms = {
  clipping: { norm: 0.5, value: 0.05 },
  proximal: 0.1,
  control: true,
  optimizer: { ...optimizerSettings('sgd'), momentum: 0.9, nesterov: true, weightDecay: 0.01 },
};

const augment = { flip: true, crop: 2, noise: 0.05 };

const CASES: readonly (readonly [string, TrainingCase])[] = [
  ['cnn, SGD', { zoo: 'cnn', ...image }],
  ['cnn, Adam', { zoo: 'cnn', ...image, ...by('adam') }],
  ['gpt, SGD', { zoo: 'gpt', ...text }],
  ['gpt, AdamW', { zoo: 'gpt', ...text, ...by('adamw') }],
  ['fedavg-cnn', { zoo: 'fedavg-cnn', ...image, ...few }],
  ['resnet20', { zoo: 'resnet20', ...image, ...slow }],
  ['mobilenet', { zoo: 'mobilenet', ...image, ...slow }],
  ['mobilenet, augmented', { zoo: 'mobilenet', ...image, ...slow, change: { augment } }],
  ['char-lstm', { zoo: 'char-lstm', ...text, batchSize: 1, steps: 2 }],
  ['mlp, all terms', { zoo: 'mlp', ...image, change: terms }],
  ['mlp, accumulated, last minibatch smaller', { zoo: 'mlp', ...image, accumulation: 3, rest: 5 }],
  ['mlp, dropout', { zoo: 'mlp', ...image, dropout: true }],
  ['logistic, 70 steps', { zoo: 'logistic', ...image, steps: 70, ...by('rmsprop') }],
  ['logistic, Adagrad', { zoo: 'logistic', ...image, rest: 3, ...by('adagrad') }],
];

function report(name: string, found: Comparison): void {
  const nodes = Object.entries(found.nodes).map(([provider, count]) => `${count} ${provider}`);
  console.log(
    `${name}: ${found.steps} steps; nodes: ${nodes.join(', ')}; ` +
      `greatest relative difference of a loss ${worstLoss(found).toExponential(2)}, ` +
      `of a weight ${found.weights.toExponential(2)}; ` +
      `${found.ms.steps.toFixed(0)} ms, CPU ${found.ms.epoch.toFixed(0)} ms`,
  );
}

describe.skipIf(skipped !== undefined)('WebGPU', () => {
  test.each(CASES)('%s: losses as on the CPU, no node on the CPU', async (name, given) => {
    const found = await compare(given);
    report(name, found);
    expect(Object.keys(found.nodes)).toEqual(['WebGpuExecutionProvider']);
    expect(found.losses.steps).toHaveLength(given.steps);
    expect(worstLoss(found)).toBeLessThan(BOUND);
  });
});

const lavapipe = isFull ? findLavapipe() : 'full size only';
if (typeof lavapipe === 'string') console.log(`skipped: float16 on WebGPU: ${lavapipe}`);

/** Of a loss, relative to float32 on the CPU: these kernels sum in float16 too. */
const HALF_BOUND = 0.02;

/** At rates where training on noise is no chaos. */
const HALF_CASES: readonly (readonly [string, TrainingCase])[] = [
  ['mlp, SGD', { zoo: 'mlp', ...image, rate: 0.001 }],
  ['cnn, SGD', { zoo: 'cnn', ...image, rate: 0.001 }],
  ['cnn, Adam', { zoo: 'cnn', ...image, ...by('adam'), rate: 0.0002 }],
  ['gpt, SGD', { zoo: 'gpt', ...text }],
];

describe.skipIf(typeof lavapipe === 'string')('float16 on WebGPU', () => {
  test.each(HALF_CASES)('%s: losses near those of float32', async (name, given) => {
    const driver = lavapipe as VulkanEnvironment;
    const found = await compare({ ...given, precision: 'float16' }, driver);
    report(`${name}, float16`, found);
    expect(Object.keys(found.nodes)).toEqual(['WebGpuExecutionProvider']);
    expect(found.losses.steps).toHaveLength(given.steps);
    expect(worstLoss(found)).toBeLessThan(HALF_BOUND);
    expect(worstLoss(found)).toBeGreaterThan(1e-6);
  });
});
