import { optimizerSettings } from '@starling/autodiff';
import { describe, expect, test } from 'vitest';
import { trainBoth, trainEpoch, worstLoss } from './train-both.ts';
import type { TrainingCase } from './training-case.ts';

/** Rates at which training on noise is no chaos: at others a last bit is soon a percent. */
const image = { batchSize: 8, steps: 20, classes: 10, rate: 0.001 } as const;
const text = { batchSize: 2, steps: 20, classes: 80, rate: 0.05 } as const;
const adam = { rate: 0.0002, change: { optimizer: optimizerSettings('adam') } };

/** Greatest difference of a loss over 20 steps, relative to that in float32. */
const BOUND = 0.005;

const CASES: readonly (readonly [string, TrainingCase])[] = [
  ['mlp, SGD', { zoo: 'mlp', ...image }],
  ['mlp, accumulated', { zoo: 'mlp', ...image, accumulation: 2, rest: 3 }],
  ['cnn, SGD', { zoo: 'cnn', ...image }],
  ['cnn, Adam', { zoo: 'cnn', ...image, ...adam }],
  ['gpt, SGD', { zoo: 'gpt', ...text }],
];

/** On the CPU, where products are computed in float32: the rounding of both ends is float16's. */
describe('20 steps with products in float16 have the losses of float32', () => {
  test.each(CASES)('%s, by single steps', async (name, given) => {
    const found = await trainBoth({ ...given, precision: 'float16' }, { on: 'cpu' });
    const worst = worstLoss(found);
    console.log(`${name}: greatest relative difference of a loss ${worst.toExponential(2)}`);
    expect(found.losses.steps).toHaveLength(given.steps);
    expect(worst).toBeLessThan(BOUND);
    // Else nothing was rounded, and the test shows nothing.
    expect(worst).toBeGreaterThan(1e-6);
  });

  test('mlp, by the epoch graph', async () => {
    const given: TrainingCase = { zoo: 'mlp', ...image };
    const [half, full] = [await trainEpoch(given, 'float16'), await trainEpoch(given, 'float32')];
    const errors = full.losses.map((loss, i) => Math.abs(half.losses[i]! - loss) / loss);
    expect(Math.max(...errors)).toBeLessThan(BOUND);
    expect(Math.max(...errors)).toBeGreaterThan(1e-6);
    // The last 13 bits of a float16 in float32 are 0: most of an update has others.
    const fine = Uint32Array.from(
      new Uint32Array(half.update.slice().buffer),
      (bits) => bits % 2 ** 13,
    );
    const used = half.update.filter((value) => value !== 0).length;
    expect(fine.filter((bits) => bits !== 0).length).toBeGreaterThan(0.5 * used);
  });
});
