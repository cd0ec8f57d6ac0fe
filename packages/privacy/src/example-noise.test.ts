import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ByteStream,
  composed,
  type ExampleCost,
  epsilonOf,
  epsilonOfExamples,
  epsilonOfRdp,
  gaussianBytes,
  gaussianNoise,
  gaussianRho,
  noiseForExamples,
  poissonSample,
  sampledGaussianRdp,
  WHOLE_ORDERS,
} from './index.ts';

/** A keystream of a seed that counts what is taken. */
function keystream(seed: number): ByteStream & { readonly taken: () => number } {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, seed);
  const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  let taken = 0;
  return {
    next: (length) => {
      taken += length;
      return new Uint8Array(cipher.update(new Uint8Array(length)));
    },
    taken: () => taken,
  };
}

const MNIST = 60_000;
/** TensorFlow Privacy takes whole minibatches of 256 only. */
const trainedOnMnist = (multiplier: number, epochs: number): ExampleCost => ({
  ...{ multiplier, rate: 256 / MNIST, steps: epochs * Math.floor(MNIST / 256) },
});
/** Least ε by Mironov 2017, proposition 3, as the tutorials had it when they were written. */
const classical = ({ multiplier, rate, steps }: ExampleCost, delta: number, orders: number[]) => {
  const curve = composed(sampledGaussianRdp(multiplier, rate), steps);
  return Math.min(...orders.map((order) => curve(order) - Math.log(delta) / (order - 1)));
};

describe('the account of DP-SGD', () => {
  test.each([
    [1.12, 60, 2.92],
    [0.6, 30, 9.74],
    [1.2, 10, 1.2],
  ])('MNIST with noise %d for %d epochs, as TensorFlow Privacy has it', (noise, epochs, wanted) => {
    const cost = trainedOnMnist(noise, epochs);
    const found = classical(cost, 1e-5, [...WHOLE_ORDERS]);
    expect(Math.abs(found / wanted - 1)).toBeLessThan(0.005);
    // By Canonne, Kamath and Steinke the same training costs less.
    const tight = epsilonOfExamples([cost], 1e-5);
    expect(tight).toBeLessThan(found);
    expect(tight).toBeGreaterThan(0.7 * found);
  });

  test('300 steps at a rate of 0.01, as Opacus has it', () => {
    const cost = { multiplier: 1, rate: 0.01, steps: 300 };
    const curve = composed(sampledGaussianRdp(cost.multiplier, cost.rate), cost.steps);
    expect(epsilonOfRdp(curve, 1e-5, [2, 5, 10, 20, 100])).toBeCloseTo(2.39, 2);
    expect(epsilonOfExamples([cost], 1e-5)).toBeLessThan(2.39);
  });

  test('trainings add up, whatever their noise', () => {
    const costs = fc.array(
      fc.record({
        multiplier: fc.double({ min: 0.5, max: 20, noNaN: true }),
        rate: fc.double({ min: 1e-4, max: 1, noNaN: true }),
        steps: fc.integer({ min: 1, max: 1000 }),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(costs, (list) => {
        const whole = epsilonOfExamples(list, 1e-5);
        const halves = list.flatMap((cost) => [cost, cost]);
        const twice = list.map((cost) => ({ ...cost, steps: 2 * cost.steps }));
        expect(epsilonOfExamples(halves, 1e-5)).toBeCloseTo(epsilonOfExamples(twice, 1e-5), 9);
        expect(epsilonOfExamples(halves, 1e-5)).toBeGreaterThanOrEqual(whole);
        // Drawing all is never cheaper than drawing some.
        const all = list.map((cost) => ({ ...cost, rate: 1 }));
        expect(epsilonOfExamples(all, 1e-5)).toBeGreaterThanOrEqual(whole * (1 - 1e-12));
      }),
      { numRuns: 30 },
    );
    expect(epsilonOfExamples([], 1e-5)).toBe(0);
  });

  test('without sampling it is that of the Gaussian', () => {
    const epsilon = epsilonOfExamples([{ multiplier: 5, rate: 1, steps: 20 }], 1e-5);
    const optimum = epsilonOf(20 * gaussianRho(5), 1e-5);
    expect(epsilon).toBeGreaterThanOrEqual(optimum);
    expect(epsilon / optimum).toBeLessThan(1.02);
  });

  test('the least noise of a target keeps it, and hardly more', () => {
    const target = { epsilon: 3, delta: 1e-5 };
    const training = { rate: 256 / MNIST, steps: 14_040 };
    const multiplier = noiseForExamples(target, training);
    const found = epsilonOfExamples([{ multiplier, ...training }], 1e-5);
    expect(found).toBeLessThanOrEqual(3);
    expect(found).toBeGreaterThan(2.999);
    expect(multiplier).toBeLessThan(1.1);
  });
});

describe('Poisson samples', () => {
  test('draw each example as often as told, and independently', () => {
    const stream = keystream(1);
    const [count, rate, steps] = [200, 0.1, 5_000];
    const often = new Float64Array(count);
    const sizes: number[] = [];
    let both = 0;
    for (let step = 0; step < steps; step++) {
      const drawn = poissonSample(count, rate, stream);
      expect([...drawn]).toEqual([...new Set(drawn)].sort((a, b) => a - b));
      for (const i of drawn) often[i]! += 1;
      if (drawn.includes(3) && drawn.includes(4)) both += 1;
      sizes.push(drawn.length);
    }
    const mean = sizes.reduce((sum, size) => sum + size, 0) / steps;
    const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / steps;
    expect(mean).toBeCloseTo(count * rate, 0);
    // Of a binomial; samples of one size would have none.
    expect(variance / (count * rate * (1 - rate))).toBeCloseTo(1, 1);
    expect(both / steps).toBeCloseTo(rate * rate, 2);
    const five = 5 * Math.sqrt(steps * rate * (1 - rate));
    for (const times of often) expect(Math.abs(times - steps * rate)).toBeLessThan(five);
  });

  test('of rate 1 are all, and a rate that is none is refused', () => {
    expect([...poissonSample(3, 1, keystream(1))]).toEqual([0, 1, 2]);
    for (const rate of [0, -1, 1.1, Number.NaN]) {
      expect(() => poissonSample(3, rate, keystream(1))).toThrow('sampling rate');
    }
  });
});

describe('Gaussian noise', () => {
  test('has the moments and tails of its deviation', () => {
    for (const [seed, deviation] of [
      [1, 1],
      [2, 0.01],
      [3, 70],
    ] as const) {
      const count = 400_001;
      const values = gaussianNoise(count, deviation, keystream(seed));
      const moment = (power: number) =>
        values.reduce((sum, value) => sum + (value / deviation) ** power, 0) / count;
      const beyond = values.filter((value) => Math.abs(value) > 2 * deviation).length / count;
      let neighbours = 0;
      for (let i = 1; i < count; i++) neighbours += (values[i]! * values[i - 1]!) / deviation ** 2;
      // Mean and variance of one term of each sum.
      const sums: readonly [found: number, mean: number, variance: number][] = [
        [moment(1), 0, 1],
        [moment(2), 1, 2],
        [moment(3), 0, 15],
        [moment(4), 3, 96],
        [beyond, 0.0455, 0.0455],
        [neighbours / count, 0, 1],
      ];
      for (const [found, mean, variance] of sums) {
        expect(Math.abs(found - mean)).toBeLessThan(5 * Math.sqrt(variance / count));
      }
    }
  });

  test('is a function of the stream, of which it takes what it says', () => {
    for (const count of [0, 1, 2, 7, 16_384, 16_385, 40_001]) {
      const stream = keystream(9);
      const values = gaussianNoise(count, 2, stream);
      expect(values).toHaveLength(count);
      expect(stream.taken()).toBe(gaussianBytes(count));
      expect(gaussianNoise(count, 2, keystream(9))).toEqual(values);
    }
  });

  test('is finite where the stream is all zeros or all ones', () => {
    for (const byte of [0, 255]) {
      const stream = { next: (length: number) => new Uint8Array(length).fill(byte) };
      expect(gaussianNoise(4, 1, stream).every(Number.isFinite)).toBe(true);
    }
  });
});
