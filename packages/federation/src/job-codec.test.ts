import { keystream, Secret } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeTail,
  dequantiseSum,
  type Effort,
  encodeTail,
  FEDAVG,
  type JobCodec,
  MEAN,
  normalisationOf,
  quantise,
  tailWords,
  updateCodec,
  vectorBytes,
  weightOf,
} from './index.ts';

const CODEC: JobCodec = {
  ...{ bits: 24, peersMax: 64, clippingNorm: 10, bufferRange: 100 },
  optimizer: FEDAVG,
  combination: MEAN,
};
const METRICS = { lossSum: 12, correct: 3, examples: 5 };

const efforts = fc.array(
  fc.record({ examples: fc.nat(3_000), localSteps: fc.integer({ min: 1, max: 400 }) }),
  { minLength: 1, maxLength: 20, size: 'max' },
);
const kinds = fc.constantFrom<Partial<JobCodec>>(
  {},
  { weightCap: 1_000 },
  { referenceSteps: 32 },
  { weightCap: 1_000, referenceSteps: 32 },
);

/** Words of all peers added up. */
function sumOf(parts: readonly Uint32Array[]): Uint32Array {
  const sum = new Uint32Array(parts[0]!.length);
  for (const part of parts) for (const [i, word] of part.entries()) sum[i]! += word;
  return sum;
}

describe('what travels behind the model', () => {
  test('adds up to the weights, the steps and the metrics', () => {
    fc.assert(
      fc.property(efforts, kinds, (peers, kind) => {
        const codec = { ...CODEC, ...kind };
        fc.pre(kind.weightCap === undefined || peers.some(({ examples }) => examples > 0));
        const sum = sumOf(peers.map((effort) => encodeTail(codec, effort, METRICS)));
        expect(sum).toHaveLength(tailWords(codec));
        const { divisor, steps, metrics } = decodeTail(codec, sum, peers.length);
        const weights = peers.map((effort) => weightOf(codec, effort));
        expect(divisor).toBeCloseTo(
          weights.reduce((a, b) => a + b),
          9,
        );
        const weighted = peers.reduce(
          (all, { localSteps }, i) => all + weights[i]! * localSteps,
          0,
        );
        const expected = kind.referenceSteps === undefined ? 1 : weighted / divisor / 32;
        // Each peer rounds its steps to a whole number.
        const rounding = kind.referenceSteps === undefined ? 0 : peers.length / 2 / divisor / 32;
        expect(Math.abs(steps - expected)).toBeLessThanOrEqual(rounding + 1e-9);
        expect(metrics.correct).toBe(3 * peers.length);
      }),
      { seed: 3 },
    );
  });

  test('weights that nobody can have, or none at all, are refused', () => {
    const codec = { ...CODEC, weightCap: 100 };
    const tail = (weight: number) => Uint32Array.of(weight, 0, 0, 0);
    expect(() => decodeTail(codec, tail(0), 3)).toThrow(/weights of 3 peers add up to 0/);
    expect(() => decodeTail(codec, tail(301), 3)).toThrow(/add up to 3.01/);
    expect(decodeTail(codec, tail(300), 3).divisor).toBe(3);
  });
});

describe('a weighted mean', () => {
  test('is the mean of the updates by their weights, to a step of the grid', () => {
    const codec = { ...CODEC, weightCap: 100 };
    const grid = updateCodec(codec);
    const peers = [
      { examples: 10, value: 3 },
      { examples: 100, value: -1 },
      { examples: 5_000, value: 2 },
    ];
    const words = peers.map(({ examples, value }, i) => {
      const weight = weightOf(codec, { examples, localSteps: 1 });
      const uniform = keystream(new Secret(new Uint8Array(32).fill(i)), 0, 4);
      return quantise(Float32Array.of(weight * value), grid, uniform);
    });
    const [mean] = dequantiseSum(sumOf(words), peers.length, grid, 2.1);
    expect(mean).toBeCloseTo((0.1 * 3 - 1 + 2) / 2.1, 3);
  });
});

test('narrow rings, a rotation and a share of the weights: bytes of a vector', () => {
  const model = { parameters: 1_000_000, buffers: 0 };
  const bytesOf = (changes: Partial<JobCodec>, peers = 8) =>
    vectorBytes({ ...CODEC, peersMax: 16, ...changes }, model, peers);
  expect(bytesOf({})).toEqual({ update: 3_000_009, sum: 3_375_011, float32: 4_000_000 });
  expect(bytesOf({ bits: 8, rotation: 'hadamard' }).update).toBe(1_000_015);
  expect(bytesOf({ bits: 12, sparsity: 0.1 }).update).toBe(150_014);
  expect(bytesOf({ bits: 8, rotation: 'hadamard' }, 16).sum).toBe(1_500_023);
});

test('FedNova: who took more steps counts no more for it', () => {
  const codec = { ...CODEC, referenceSteps: 10 };
  // Two peers with the same gradient everywhere: an update is as long as its steps are many.
  const peers: readonly Effort[] = [
    { examples: 1, localSteps: 5 },
    { examples: 1, localSteps: 45 },
  ];
  const normalised = peers.map(
    (effort) => 0.1 * effort.localSteps * normalisationOf(codec, effort),
  );
  expect(normalised[0]).toBeCloseTo(1, 9);
  expect(normalised[1]).toBeCloseTo(1, 9);
  const tail = sumOf(peers.map((effort) => encodeTail(codec, effort, METRICS)));
  // The mean of what they would have done: 25 steps of a tenth.
  expect(decodeTail(codec, tail, 2).steps * 1).toBeCloseTo(2.5, 9);
});
