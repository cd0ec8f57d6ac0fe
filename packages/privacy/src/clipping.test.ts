import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clipToNorm } from './index.ts';

const normOf = (vector: Float32Array): number =>
  Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
const updates = fc.float32Array({
  noNaN: true,
  noDefaultInfinity: true,
  maxLength: 200,
  size: 'max',
  min: -Math.fround(1e30),
  max: Math.fround(1e30),
});
const bounds = fc.double({ min: 1e-6, max: 1e6, noNaN: true });

describe('clipToNorm', () => {
  test('the result never exceeds the bound and keeps the direction', () => {
    fc.assert(
      fc.property(updates, bounds, (update, bound) => {
        const { clipped, norm } = clipToNorm(update, bound);
        expect(norm).toBe(normOf(update));
        if (norm <= bound) {
          expect(clipped).toBe(update);
          return;
        }
        expect(normOf(clipped)).toBeLessThanOrEqual(bound);
        expect(normOf(clipped)).toBeGreaterThan(bound * (1 - 1e-6) - 1e-40);
        for (const [i, value] of clipped.entries()) {
          const exact = (update[i]! * bound) / norm;
          expect(Math.abs(value - exact)).toBeLessThan(bound * 1e-6);
        }
      }),
    );
  });

  test('3-4-5', () => {
    const update = new Float32Array([3, -4]);
    expect(clipToNorm(update, 5)).toEqual({ clipped: update, norm: 5 });
    const { clipped, norm } = clipToNorm(update, 1);
    expect(norm).toBe(5);
    expect([...clipped].map((value) => value.toFixed(5))).toEqual(['0.60000', '-0.80000']);
    expect(update).toEqual(new Float32Array([3, -4]));
  });

  test('a diverged update and a senseless bound are refused', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(() => clipToNorm(new Float32Array([1, value]), 1)).toThrow(/NaN or Infinity/);
    }
    for (const bound of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => clipToNorm(new Float32Array(1), bound)).toThrow(/clipping norm/);
    }
  });
});
