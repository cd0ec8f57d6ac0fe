import { utf8 } from '@starling/core';
import { deriveSecret, hashHex, keystream } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dequantiseSum,
  FEDAVG,
  type JobCodec,
  MEAN,
  quantise,
  rotate,
  rotatedRange,
  unrotate,
  weightCodec,
} from './index.ts';
import { gaussianVector, normOf, uniformBytes } from './testing/draws.ts';

const seedOf = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 4_000, max: 40_000 }));
const CODEC: JobCodec = {
  ...{ bits: 12, peersMax: 16, clippingNorm: 2, bufferRange: 100, rotation: 'hadamard' },
  optimizer: FEDAVG,
  combination: MEAN,
};

const rotated = (values: Float32Array, seed: Uint8Array): Float32Array => {
  const copy = values.slice();
  rotate(copy, seed);
  return copy;
};

/** SHA-256 of 5,000 known numbers after a rotation, and after its inverse. */
const KNOWN = [
  'a95c73baab24321d9e3ff95eedf8fbc6e6b9e4b40b2027e5c3fe6138afa27b78',
  'c8c409ad5469d418b69c84be049181d045738ddc28f5d78fb9be462a095a29f6',
];

/** The same by the words of the specification, level by level. */
function plainRotation(values: Float32Array, seed: Uint8Array): Float32Array {
  const out = values.slice();
  const n = 2 ** Math.floor(Math.log2(out.length));
  const signs = keystream(deriveSecret(seed, utf8('rotation')), 0, n);
  const power = Math.log2(n);
  const scale = power % 2 === 0 ? 2 ** (-power / 2) : 2 ** ((1 - power) / 2) * Math.SQRT1_2;
  for (const [pass, from] of (n === out.length ? [0] : [0, out.length - n]).entries()) {
    const bytes = signs.subarray(pass * Math.ceil(n / 8));
    for (let i = 0; i < n; i++) {
      out[from + i] = ((bytes[i >> 3]! >> (i & 7)) & 1 ? -scale : scale) * out[from + i]!;
    }
    for (let h = 1; h < n; h *= 2) {
      for (let i = 0; i < n; i++) {
        if ((i & h) !== 0) continue;
        const [a, b] = [out[from + i]!, out[from + i + h]!];
        out[from + i] = a + b;
        out[from + i + h] = a - b;
      }
    }
  }
  return out;
}

describe('the randomised Hadamard transform', () => {
  test('keeps lengths and comes back, for any number of coordinates', () => {
    fc.assert(
      fc.property(lengths, fc.nat(255), (length, seed) => {
        const values = gaussianVector(length, seed);
        const turned = rotated(values, seedOf(seed));
        const norm = normOf(values);
        expect(Math.abs(normOf(turned) - norm)).toBeLessThanOrEqual(1e-5 * norm);
        unrotate(turned, seedOf(seed));
        const error = normOf(turned.map((value, i) => value - values[i]!));
        expect(error).toBeLessThanOrEqual(1e-6 * norm);
      }),
      { seed: 11 },
    );
  });

  test('has the bits of the specification [R-70]', () => {
    for (const length of [1, 2, 3, 7, 8, 100, 4_096, 8_191, 20_000, 33_000]) {
      const values = gaussianVector(length, length);
      expect(rotated(values, seedOf(9))).toEqual(plainRotation(values, seedOf(9)));
    }
    const values = Float32Array.from({ length: 5_000 }, (_, i) => (i % 17) - 8);
    rotate(values, seedOf(1));
    const forth = hashHex(new Uint8Array(values.buffer));
    unrotate(values, seedOf(1));
    const back = hashHex(new Uint8Array(values.buffer));
    expect([forth, back]).toEqual(KNOWN);
  });

  test('keeps inner products, and another seed turns elsewhere', () => {
    const [a, b] = [gaussianVector(3_000, 1), gaussianVector(3_000, 2)];
    const product = (x: Float32Array, y: Float32Array) =>
      x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    const [x, y] = [rotated(a, seedOf(1)), rotated(b, seedOf(1))];
    expect(Math.abs(product(x, y) - product(a, b))).toBeLessThan(1e-3);
    expect(product(x, rotated(a, seedOf(2))) / product(a, a)).toBeLessThan(0.1);
  });
});

/** Updates at their clipping norm that are as unlike as updates can be. */
const SHAPES: readonly (readonly [string, (length: number, seed: number) => Float32Array])[] = [
  ['one weight', (length) => new Float32Array(length).fill(1, length - 1)],
  ['equal weights', (length) => new Float32Array(length).fill(1)],
  ['the last layer', (length) => new Float32Array(length).fill(1, Math.floor(0.99 * length))],
  ['a Gaussian', gaussianVector],
  ['heavy tails', (length, seed) => gaussianVector(length, seed).map((value) => value ** 5)],
];

function atNorm(values: Float32Array, norm: number): Float32Array {
  const scale = norm / normOf(values);
  return values.map((value) => value * scale);
}

describe('the range after a rotation', () => {
  test.each(SHAPES)('hardly clamps %s, and by little', (_, shape) => {
    for (const length of [10_000, 16_384, 32_000]) {
      const range = rotatedRange(2, length);
      let clamped = 0;
      for (let seed = 0; seed < 10; seed++) {
        const turned = rotated(atNorm(shape(length, seed), 2), seedOf(seed));
        const beyond = turned.map((value) => Math.max(0, Math.abs(value) - range));
        clamped += beyond.filter((value) => value > 0).length;
        // Decision 0026: the root mean square is at most 1.3% of the norm, whatever the update is.
        expect(normOf(beyond)).toBeLessThan(0.013 * 2);
      }
      // Twice e^−8, by Hoeffding; a Gaussian at its norm is beyond a tenth as often.
      expect(clamped).toBeLessThan(10 * length * 2 * Math.exp(-8));
    }
  });

  test('is the norm itself where few coordinates leave no room for chance', () => {
    expect(rotatedRange(3, 10)).toBe(3);
    expect(rotatedRange(3, 0)).toBe(3);
    expect(rotatedRange(3, 1_024)).toBe(3 / 8);
  });
});

test('rotated, quantised and turned back, an update is right on average', () => {
  const length = 700;
  const draws = 400;
  const update = atNorm(gaussianVector(length, 3), 1.5);
  const grid = weightCodec({ ...CODEC, bits: 8 }, length);
  const mean = new Float64Array(length);
  for (let draw = 0; draw < draws; draw++) {
    const seed = new Uint8Array(32).fill(draw % 256).fill(draw >> 8, 0, 1);
    const words = quantise(rotated(update, seed), grid, uniformBytes(draw, length));
    const back = Float32Array.from(dequantiseSum(words, 1, grid));
    unrotate(back, seed);
    for (let i = 0; i < length; i++) mean[i]! += back[i]! / draws;
  }
  // Half a step a draw at most; over 700 coordinates five standard errors are hardly met.
  const most = (5 * grid.step) / 2 / Math.sqrt(draws);
  for (let i = 0; i < length; i++) expect(Math.abs(mean[i]! - update[i]!)).toBeLessThan(most);
});

test('sums of any rings and peers stay within the ring', () => {
  const bits = fc.integer({ min: 8, max: 24 });
  fc.assert(
    fc.property(bits, fc.integer({ min: 1, max: 16 }), fc.nat(255), (width, peers, seed) => {
      const codec = { ...CODEC, bits: width, peersMax: peers };
      const grid = weightCodec(codec, 64);
      expect(peers * grid.wordMax).toBeLessThan(2 ** width);
      const sum = new Uint32Array(64);
      for (let peer = 0; peer < peers; peer++) {
        const update = gaussianVector(64, seed + peer).map((value) => value * 100);
        const words = quantise(rotated(update, seedOf(seed)), grid, uniformBytes(peer, 64));
        for (const [i, word] of words.entries()) sum[i]! += word;
      }
      for (const word of sum) expect(word).toBeLessThan(2 ** width);
      expect(dequantiseSum(sum, peers, grid)).toHaveLength(64);
    }),
  );
});

/** Relative error of the mean of 8 peers of one direction and some noise. */
function meanError(bits: number, rotation: 'hadamard' | undefined): number {
  const [length, peers] = [20_000, 8];
  const { rotation: _, ...plain } = CODEC;
  const codec = { ...plain, bits, peersMax: peers, ...(rotation && { rotation }) };
  const grid = weightCodec(codec, length);
  const sum = new Uint32Array(length);
  const exact = new Float64Array(length);
  for (let peer = 0; peer < peers; peer++) {
    const update = atNorm(gaussianVector(length, peer), 1);
    for (let i = 0; i < length; i++) exact[i]! += update[i]! / peers;
    if (rotation) rotate(update, seedOf(5));
    const words = quantise(update, grid, uniformBytes(peer, length));
    for (let i = 0; i < length; i++) sum[i]! += words[i]!;
  }
  const mean = Float32Array.from(dequantiseSum(sum, peers, grid));
  if (rotation) unrotate(mean, seedOf(5));
  return normOf(mean.map((value, i) => value - exact[i]!)) / normOf(Float32Array.from(exact));
}

test('a rotation makes few bits enough: the error falls by the range', () => {
  for (const bits of [8, 10, 12]) {
    const [plain, turned] = [meanError(bits, undefined), meanError(bits, 'hadamard')];
    // √(20,000 / 16) = 35 with a grid at the norm; n is 16,384 here.
    expect(plain / turned, `${bits} bits`).toBeGreaterThan(20);
  }
  expect(meanError(12, 'hadamard')).toBeLessThan(0.02);
});
