import { keystreamFrom, Secret } from '@starling/crypto';
import {
  addNoise,
  FEDAVG,
  type JobCodec,
  MEAN,
  quantise,
  squaredSteps,
  updateCodec,
} from '@starling/federation';
import { clipToNorm, discreteGaussian, roundedNorm } from '@starling/privacy';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../sim/src/prng.ts';
import { kernels } from './kernels.ts';

const WEIGHTS = 100_000;
const codec: JobCodec = {
  ...{ bits: 24, peersMax: 16, clippingNorm: 3, bufferRange: 1 },
  ...{ optimizer: FEDAVG, combination: MEAN },
  noise: { multiplier: 0.5, survivorsMin: 5, honestMin: 3 },
};
const grid = updateCodec(codec);
const ring = 2 ** codec.bits;
const metrics = { lossSum: 1, correct: 1, examples: 1 };

function hide(update: Float32Array, seed: number, given = codec): Uint32Array {
  const effort = { examples: 10, localSteps: 1 };
  const input = { update, trainable: update.length, effort, metrics, codec: given };
  return kernels.quantise({ ...input, seed: seededRandom(seed, 0, 0).bytes(32) }).words;
}

/** What a word stands for, in steps of the grid. */
const stepsOf = (word: number): number => {
  const raised = word - grid.offset - grid.valueMax / 2;
  return raised < -ring / 2 ? raised + ring : raised > ring / 2 ? raised - ring : raised;
};

describe('an update with noise', () => {
  test('has noise of the size that was asked for, and no other [R-53]', () => {
    const words = hide(new Float32Array(WEIGHTS), 1);
    expect(words).toHaveLength(WEIGHTS);
    const steps = Float64Array.from(words, stepsOf);
    const mean = steps.reduce((sum, step) => sum + step, 0) / WEIGHTS;
    const variance = steps.reduce((sum, step) => sum + step * step, 0) / WEIGHTS;
    expect(Math.abs(mean)).toBeLessThan((4 * grid.sigma) / Math.sqrt(WEIGHTS));
    expect(Math.abs(variance / grid.sigma ** 2 - 1)).toBeLessThan(4 * Math.sqrt(2 / WEIGHTS));
    const { bound } = discreteGaussian(grid.sigma);
    expect(Math.max(...steps.map(Math.abs))).toBeLessThanOrEqual(bound);
  });

  test('has its value below the noise: many of them together give it back', () => {
    const update = Float32Array.from({ length: 8 }, (_, i) => (i - 4) / 4);
    const times = 4_000;
    const sums = new Float64Array(8);
    for (let seed = 0; seed < times; seed++) {
      for (const [i, word] of hide(update.slice(), seed).entries()) sums[i]! += stepsOf(word);
    }
    const error = (5 * grid.sigma * grid.step) / Math.sqrt(times);
    for (const [i, sum] of sums.entries()) {
      expect(Math.abs((sum / times) * grid.step - update[i]!)).toBeLessThan(error);
    }
  });

  test('is rounded anew until its norm is within what is accounted for [R-52]', () => {
    // All values half a step from the grid: the bound is two deviations of a rounding away.
    const coarse: JobCodec = { ...codec, bits: 16, peersMax: 300 };
    const rough = updateCodec({ ...coarse, noise: { ...codec.noise!, multiplier: 1 } });
    expect(rough.valueMax).toBe(30);
    const dimension = rough.valueMax ** 2;
    const update = new Float32Array(dimension).fill(rough.step / 2);
    const { clipped } = clipToNorm(update, rough.clippingNorm);
    const { step, clippingNorm: norm } = rough;
    const most = (roundedNorm({ norm, step, dimension }) / step) ** 2;
    let drawnAgain = 0;
    for (let seed = 0; seed < 200; seed++) {
      const words = hide(update.slice(), seed, { ...coarse, noise: rough.noise! });
      const stream = keystreamFrom(new Secret(seededRandom(seed, 0, 0).bytes(32)), 0);
      let points = quantise(clipped, rough, stream.next(4 * dimension));
      for (; squaredSteps(points, rough) > most; drawnAgain++) {
        points = quantise(clipped, rough, stream.next(4 * dimension));
      }
      addNoise(points, discreteGaussian(rough.sigma).sample(dimension, stream), rough);
      expect(words).toEqual(points);
    }
    expect(drawnAgain).toBeGreaterThan(0);
  });

  test('buffers would go without noise, and are refused', () => {
    const effort = { examples: 10, localSteps: 1 };
    const seed = new Uint8Array(32);
    const input = { update: new Float32Array(4), trainable: 3, effort, metrics, seed, codec };
    expect(() => kernels.quantise(input)).toThrow('1 buffers without noise');
  });
});
