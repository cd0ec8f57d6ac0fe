import { ProtocolError } from '@starling/core';
import { keystreamFrom, Secret } from '@starling/crypto';
import { discreteGaussian } from '@starling/privacy';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addNoise,
  type CodecOptions,
  decodeTail,
  dequantiseSum,
  encodeTail,
  FEDAVG,
  MEAN,
  quantise,
  squaredSteps,
  tailWords,
  updateCodec,
} from './index.ts';

const noise = { multiplier: 1, survivorsMin: 5, honestMin: 3 };
const options: CodecOptions = { bits: 24, peersMax: 16, clippingNorm: 2, noise };

describe('a grid with noise', () => {
  test('has 0 on it, leaves the ring room, and shares the noise among the honest', () => {
    const bits = fc.integer({ min: 16, max: 30 });
    const multipliers = fc.double({ min: 0.05, max: 20, noNaN: true });
    const cells = fc.integer({ min: 3, max: 64 });
    fc.assert(
      fc.property(bits, multipliers, cells, (width, multiplier, peersMax) => {
        const honestMin = Math.ceil(peersMax / 3);
        const survivorsMin = Math.ceil((2 * peersMax) / 3);
        const shares = { multiplier, survivorsMin, honestMin };
        const given = { bits: width, peersMax, clippingNorm: 3, noise: shares };
        let grid: ReturnType<typeof updateCodec>;
        try {
          grid = updateCodec(given);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        expect(grid.valueMax % 2).toBe(0);
        expect(peersMax * grid.wordMax).toBeLessThan(2 ** width);
        expect(grid.sigma).toBeGreaterThanOrEqual(3);
        const counted = grid.sigma * grid.step * Math.sqrt(honestMin);
        expect(counted / (multiplier * 3)).toBeCloseTo(1, 9);
        expect(survivorsMin * grid.offset).toBeGreaterThanOrEqual(
          12 * grid.sigma * Math.sqrt(survivorsMin) * (1 - 1e-12),
        );
      }),
    );
  });

  test('says which of noise and ring does not fit', () => {
    const tooLoud = { ...options, bits: 16, noise: { ...noise, multiplier: 50 } };
    expect(() => updateCodec(tooLoud)).toThrow('16 ring bits are too few for 16 peers');
    const tooQuiet = { ...options, bits: 16, noise: { ...noise, multiplier: 0.001 } };
    expect(() => updateCodec(tooQuiet)).toThrow('less than 3 steps of the grid');
    const senseless = { ...options, noise: { ...noise, multiplier: 0 } };
    expect(() => updateCodec(senseless)).toThrow('noise without honest peers');
  });

  test('the mean of noisy words is the mean of the updates and of the noise', () => {
    const grid = updateCodec(options);
    const { sample } = discreteGaussian(grid.sigma);
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 16 }), fc.nat(255), (peers, seed) => {
        const stream = keystreamFrom(new Secret(new Uint8Array(32).fill(seed)), 0);
        const length = 30;
        const sum = new Uint32Array(length);
        const exact = new Float64Array(length);
        for (let peer = 0; peer < peers; peer++) {
          const update = Float32Array.from({ length }, (_, i) => ((i * peer) % 7) / 10 - 0.3);
          const words = quantise(update, grid, stream.next(4 * length));
          const points = words.slice();
          const draws = sample(length, stream);
          addNoise(words, draws, grid);
          for (let i = 0; i < length; i++) {
            sum[i] = (sum[i]! + words[i]!) % 2 ** grid.bits;
            exact[i]! += (points[i]! - grid.valueMax / 2 + draws[i]!) * grid.step;
          }
        }
        const mean = dequantiseSum(sum, peers, grid);
        for (let i = 0; i < length; i++) expect(mean[i]).toBeCloseTo(exact[i]! / peers, 9);
      }),
    );
  });

  test('steps from 0 are counted', () => {
    const grid = updateCodec(options);
    const zero = grid.valueMax / 2;
    expect(squaredSteps(Uint32Array.of(zero, zero + 3, zero - 4), grid)).toBe(25);
    const zeros = quantise(new Float32Array(4), grid, new Uint8Array(16).fill(255));
    expect(squaredSteps(zeros, grid)).toBe(0);
  });
});

test('nothing travels behind a noisy model, and its metrics are none', () => {
  const codec = { ...options, bufferRange: 1, optimizer: FEDAVG, combination: MEAN };
  expect(tailWords(codec)).toBe(0);
  const metrics = { lossSum: 3, correct: 1, examples: 2 };
  expect(encodeTail(codec, { examples: 2, localSteps: 1 }, metrics)).toHaveLength(0);
  expect(decodeTail(codec, new Uint32Array(0), 7)).toEqual({
    ...{ divisor: 7, steps: 1 },
    metrics: { lossSum: 0, correct: 0, examples: 0, seconds: 0 },
  });
});
