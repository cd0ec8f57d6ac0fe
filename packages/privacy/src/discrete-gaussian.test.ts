import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteStream, discreteGaussian, SIGMA_MAX } from './index.ts';

/** A keystream of a seed. */
function keystream(seed: number): ByteStream {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, seed);
  const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  return { next: (length) => new Uint8Array(cipher.update(new Uint8Array(length))) };
}

/** Exact δ of one draw as noise on a whole number that one person changes by 1. */
function exactDelta(sigma: number, epsilon: number): number {
  const { probability, bound } = discreteGaussian(sigma);
  let delta = 0;
  for (let k = bound + 1; k >= -bound; k--) {
    delta += Math.max(0, probability(k) - Math.exp(epsilon) * probability(k + 1));
  }
  return delta;
}

describe('the table', () => {
  test('has the exact delta of IBM’s discrete-gaussian', () => {
    const wanted: readonly [number, number, number][] = [
      [1, 1, 0.14135133940562192],
      [4, 0.5, 0.05400722369415441],
      [100, 1, 1.2792408567162836e-25],
    ];
    for (const [variance, epsilon, delta] of wanted) {
      const found = exactDelta(Math.sqrt(variance), epsilon);
      expect(Math.abs(found / delta - 1)).toBeLessThan(1e-9);
    }
  });

  test('adds up to one, is even, and falls as a Gaussian does', () => {
    for (const sigma of [0.1, 0.5, 1, 3, 17.3, 250]) {
      const { probability, bound } = discreteGaussian(sigma);
      let sum = 0;
      for (let k = -bound; k <= bound; k++) sum += probability(k);
      expect(sum).toBeCloseTo(1, 12);
      for (let k = 0; k < Math.min(bound, 9 * sigma); k++) {
        const ratio = Math.log(probability(k) / probability(k + 1));
        expect(ratio / ((2 * k + 1) / (2 * sigma * sigma)) - 1).toBeCloseTo(0, 9);
        expect(probability(-k)).toBe(probability(k));
      }
      expect(probability(bound + 1)).toBe(0);
      expect(probability(0.5)).toBe(0);
    }
  });

  test('a sigma that no table is made for', () => {
    for (const sigma of [0, -1, Number.NaN, SIGMA_MAX * 2, Number.POSITIVE_INFINITY]) {
      expect(() => discreteGaussian(sigma)).toThrow(/sigma/);
    }
  });
});

describe('draws', () => {
  for (const sigma of [0.5, 3, 41.7]) {
    test(`of sigma ${sigma} follow the table`, () => {
      const count = 400_000;
      const { sample, probability } = discreteGaussian(sigma);
      const found = new Map<number, number>();
      for (const draw of sample(count, keystream(7))) found.set(draw, (found.get(draw) ?? 0) + 1);
      // Pearson's statistic over all values that are expected at least 20 times.
      let [statistic, cells] = [0, 0];
      for (let k = -Math.ceil(6 * sigma); k <= 6 * sigma; k++) {
        const expected = count * probability(k);
        if (expected < 20) continue;
        statistic += ((found.get(k) ?? 0) - expected) ** 2 / expected;
        cells++;
      }
      expect(cells).toBeGreaterThan(3);
      expect(Math.abs(statistic - cells)).toBeLessThan(4 * Math.sqrt(2 * cells));
    });
  }

  test('have mean 0 and variance sigma², also where the table is largest', () => {
    for (const [seed, sigma] of [3, 100, SIGMA_MAX].entries()) {
      const count = 300_000;
      const draws = discreteGaussian(sigma).sample(count, keystream(seed));
      const mean = draws.reduce((sum, draw) => sum + draw, 0) / count;
      const variance = draws.reduce((sum, draw) => sum + draw * draw, 0) / count;
      expect(Math.abs(mean)).toBeLessThan((4 * sigma) / Math.sqrt(count));
      expect(Math.abs(variance / sigma ** 2 - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    }
  });

  test('the first word decides, ties go on to the next', () => {
    const { sample, probability, bound } = discreteGaussian(1);
    const cumulative = (size: number) => {
      let sum = probability(0);
      for (let k = 1; k <= size; k++) sum += 2 * probability(k);
      return sum;
    };
    const words = (...given: number[]): ByteStream => ({
      next: (length) => new Uint8Array(Uint32Array.from(given.splice(0, length / 4)).buffer),
    });
    // 31 bits of magnitude and one of sign.
    const edge = Math.floor(cumulative(0) * 2 ** 31);
    expect([...sample(2, words((edge - 1) * 2, (edge + 1) * 2))]).toEqual([0, 1]);
    expect([...sample(1, words((edge + 1) * 2 + 1))]).toEqual([-1]);
    expect([...sample(1, words(edge * 2, 0, 0, 0))]).toEqual([0]);
    const most = 2 ** 32 - 1;
    expect([...sample(1, words(edge * 2, most, most, most))]).toEqual([1]);
    expect(Math.abs(sample(1, words(most, most, most, most))[0]!)).toBe(bound);
  });

  test('of draws that tie, all 96 bits behind the first word count, the highest first', () => {
    const { sample, probability } = discreteGaussian(1);
    const word = Math.floor(probability(0) * 2 ** 31);
    // As the stream has them: 64 bits and 32 bits, the lowest byte first.
    const drawn = (rest: bigint): number => {
      const bytes = new DataView(new ArrayBuffer(16));
      bytes.setUint32(0, word * 2, true);
      bytes.setBigUint64(4, rest >> 32n, true);
      bytes.setUint32(12, Number(rest & 0xffffffffn), true);
      let at = 0;
      const next = (length: number) => {
        at += length;
        return new Uint8Array(bytes.buffer.slice(at - length, at));
      };
      return sample(1, { next })[0]!;
    };
    // The least 96 bits that draw 1: below them all draw 0, from them on all draw 1.
    let [low, high] = [0n, 2n ** 96n - 1n];
    expect([drawn(low), drawn(high)]).toEqual([0, 1]);
    while (low < high) {
      const middle = (low + high) / 2n;
      if (drawn(middle) === 1) high = middle;
      else low = middle + 1n;
    }
    // What is known of the probability in float64 is where the edge is.
    const edge = (word + Number(high) / 2 ** 96) / 2 ** 31;
    expect(Math.abs(edge - probability(0))).toBeLessThan(2 ** -52);
    for (let bit = 0n; bit < 96n; bit++) {
      const step = 2n ** bit;
      if (high >= step) expect(drawn(high - step)).toBe(0);
      if (high + step < 2n ** 96n) expect(drawn(high + step)).toBe(1);
    }
    expect([drawn(high - 1n), drawn(high)]).toEqual([0, 1]);
  });

  test('one keystream gives one sequence, in any pieces', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 500 }), (seed, count) => {
        const { sample, bound } = discreteGaussian(5);
        const draws = sample(count, keystream(seed));
        expect(sample(count, keystream(seed))).toEqual(draws);
        for (const draw of draws) expect(Math.abs(draw)).toBeLessThanOrEqual(bound);
      }),
    );
  });
});
