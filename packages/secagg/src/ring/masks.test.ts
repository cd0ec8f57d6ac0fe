import { fromHex, toHex } from '@starling/core';
import { keystream, Secret } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addMask,
  addMasks,
  addMasksWith,
  bytesOfWords,
  type MaskTerm,
  masker,
  maskTo,
  referenceKernel,
  type Sign,
  tileKernel,
  unrolledKernel,
  wasmKernel,
} from './index.ts';

const seedOf = (value: number): Secret => new Secret(new Uint8Array(32).fill(value));
const sign = fc.constantFrom<Sign>(1, -1);
/** Around a step of the SIMD kernel, around a tile (24,576 words), and several tiles. */
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 70 }),
  fc.integer({ min: 24_500, max: 24_600 }),
  fc.integer({ min: 49_100, max: 80_000 }),
);
const offsets = fc.oneof(fc.constant(0), fc.nat(1000), fc.integer({ min: 2 ** 31, max: 2 ** 33 }));

const equal = (a: Uint32Array, b: Uint32Array): boolean =>
  Buffer.compare(bytesOfWords(a), bytesOfWords(b)) === 0;

function termsOf(signs: readonly Sign[]): MaskTerm[] {
  return signs.map((sign, i) => ({ seed: seedOf(i + 1), sign }));
}

describe('masks', () => {
  test('this engine runs the SIMD kernel', () => {
    expect(wasmKernel).toBeDefined();
    expect(tileKernel).toBe(wasmKernel);
  });

  test('a mask is the keystream as little-endian words', () => {
    const words = new Uint32Array(4);
    addMask(words, new Secret(new Uint8Array(32)), 0, 1);
    expect(words[0]).toBe(0x78c095dc);
    expect(toHex(bytesOfWords(words).slice())).toBe('dc95c078a2408989ad48a21492842087');
    addMask(words, new Secret(new Uint8Array(32)), 0, -1);
    expect(words).toEqual(new Uint32Array(4));
    addMask(words, new Secret(fromHex('00'.repeat(32))), 3, -1);
    expect(words[0]).toBe(-0x87208492 >>> 0);
  });

  test('every kernel computes what the reference computes', () => {
    const kernels = [unrolledKernel, wasmKernel!];
    fc.assert(
      fc.property(
        lengths,
        fc.array(sign, { maxLength: 11, size: 'max' }),
        offsets,
        (length, signs, offset) => {
          const start = new Uint32Array(keystream(seedOf(99), 0, 4 * length).buffer, 0, length);
          const expected = start.slice();
          addMasksWith(referenceKernel, expected, termsOf(signs), offset);
          for (const kernel of kernels) {
            const got = start.slice();
            addMasksWith(kernel, got, termsOf(signs), offset);
            expect(equal(got, expected), `${kernel.name}, ${length} words`).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('pairwise masks cancel over any cell and ring width', () => {
    const bits = fc.integer({ min: 8, max: 32 });
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 1, max: 64 }),
        bits,
        (n, d, b) => {
          const pairSeed = (i: number, j: number): Secret =>
            seedOf(16 * Math.min(i, j) + Math.max(i, j));
          const peers = Array.from({ length: n }, (_, i) => i);
          const sum = new Uint32Array(d);
          for (const me of peers) {
            const masked = new Uint32Array(d);
            const others = peers.filter((other) => other !== me);
            addMasks(
              masked,
              others.map((other) => ({ seed: pairSeed(me, other), sign: other > me ? 1 : -1 })),
              0,
            );
            maskTo(masked, b);
            for (let i = 0; i < d; i++) sum[i] = sum[i]! + masked[i]!;
          }
          maskTo(sum, b);
          expect(equal(sum, new Uint32Array(d))).toBe(true);
        },
      ),
    );
  });

  test('a vector masked chunk by chunk equals the vector masked whole', () => {
    const cuts = fc.array(fc.nat(100_000), { maxLength: 4 });
    fc.assert(
      fc.property(cuts, fc.array(sign, { minLength: 1, maxLength: 3 }), (cuts, signs) => {
        const [whole, parts] = [new Uint32Array(100_000), new Uint32Array(100_000)];
        addMasks(whole, termsOf(signs), 7);
        const edges = [0, ...cuts.sort((a, b) => a - b), parts.length];
        for (const [i, from] of edges.slice(0, -1).entries()) {
          addMasks(parts.subarray(from, edges[i + 1]), termsOf(signs), 7 + from);
        }
        expect(equal(whole, parts)).toBe(true);
        const [streamed, add] = [new Uint32Array(100_000), masker(termsOf(signs), 7)];
        for (const [i, from] of edges.slice(0, -1).entries()) {
          add(streamed.subarray(from, edges[i + 1]));
        }
        expect(equal(whole, streamed)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});
