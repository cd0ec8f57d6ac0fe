import { optimizerSettings } from '@starling/autodiff';
import { describe, expect, test } from 'vitest';
import { trainBoth, worstLoss } from './train-both.ts';
import type { TrainingCase } from './training-case.ts';

const image = { batchSize: 4, steps: 4, classes: 10, rate: 0.02 } as const;
const terms = {
  clipping: { norm: 0.5, value: 0.05 },
  proximal: 0.1,
  control: true,
  optimizer: { ...optimizerSettings('sgd'), momentum: 0.9, nesterov: true, weightDecay: 0.01 },
};
const by = (name: Parameters<typeof optimizerSettings>[0]) => ({
  rate: 0.001,
  change: { optimizer: optimizerSettings(name) },
});

const augment = { flip: true, crop: 2, noise: 0.05 };

const CASES: readonly (readonly [string, TrainingCase])[] = [
  ['SGD', { zoo: 'mlp', ...image }],
  ['all terms', { zoo: 'mlp', ...image, change: terms }],
  ['Adam', { zoo: 'cnn', ...image, ...by('adam') }],
  ['RMSprop', { zoo: 'logistic', ...image, ...by('rmsprop') }],
  ['Adagrad, a smaller last minibatch', { zoo: 'logistic', ...image, rest: 3, ...by('adagrad') }],
  ['more steps than losses are kept', { zoo: 'logistic', ...image, steps: 70 }],
  ['accumulation', { zoo: 'mlp', ...image, accumulation: 3, rest: 2 }],
  ['accumulation of all terms', { zoo: 'mlp', ...image, accumulation: 2, change: terms }],
  ['dropout, accumulated', { zoo: 'mlp', ...image, accumulation: 2, dropout: true }],
  ['buffers', { zoo: 'mobilenet', ...image, steps: 2, rate: 0.001 }],
  [
    'images that are moved, with noise',
    { zoo: 'mobilenet', ...image, steps: 2, rate: 0.001, change: { augment } },
  ],
  ['indices', { zoo: 'gpt', ...image, batchSize: 2, classes: 80 }],
  ['frozen weights', { zoo: 'cnn', ...image, change: { frozen: ['conv*'] } }],
  [
    'personal weights, which the proximal term leaves alone',
    { zoo: 'mlp', ...image, change: { proximal: 20, personal: ['fc3*'] } },
  ],
];

/** What the graphs of single steps compute shows on the CPU too; GPUs are for `webgpu.test.ts`. */
describe('a run by single steps is the run of the epoch graph', () => {
  test.each(CASES)('%s', async (_, given) => {
    const found = await trainBoth(given, { on: 'cpu' });
    expect(found.losses.steps).toHaveLength(given.steps);
    expect(worstLoss(found)).toBeLessThan(1e-5);
    expect(found.weights).toBeLessThan(1e-4);
    expect(found.update).toBeLessThan(1e-4);
  });

  test('one that diverges ends when its losses are next looked at', async () => {
    const wild: TrainingCase = { zoo: 'mlp', ...image, steps: 70, rate: 1e20 };
    const { losses } = await trainBoth(wild, { on: 'cpu' });
    expect(losses.steps).toHaveLength(64);
    expect(losses.steps.findIndex((loss) => !Number.isFinite(loss))).toBe(
      losses.epoch.findIndex((loss) => !Number.isFinite(loss)),
    );
  });
});
