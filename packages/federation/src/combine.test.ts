import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addProducts,
  type Combination,
  coefficients,
  combineStretch,
  isCoordinateWise,
} from './index.ts';

const RULES: readonly Combination[] = [
  { kind: 'mean' },
  { kind: 'norm-clip' },
  { kind: 'centered-clip' },
  { kind: 'geometric-median' },
  { kind: 'multi-krum', corrupt: 0.25 },
  { kind: 'median' },
  { kind: 'trimmed-mean', corrupt: 0.25 },
];
const ROBUST = RULES.slice(2);

/** All cells' means combined, in stretches of `piece`. */
function combine(
  rule: Combination,
  cells: readonly (readonly number[])[],
  { weights = cells.map(() => 1), piece = 3 } = {},
): Float64Array {
  const length = cells[0]!.length;
  const stretch = (from: number) =>
    cells.map((cell) => Float64Array.from(cell.slice(from, from + piece)));
  const gram = cells.map(() => new Float64Array(cells.length));
  for (let at = 0; at < length; at += piece) addProducts(gram, stretch(at));
  const factors = isCoordinateWise(rule) ? [] : coefficients(rule, gram, weights);
  const out = new Float64Array(length);
  for (let at = 0; at < length; at += piece) {
    combineStretch(rule, stretch(at), factors, out.subarray(at, at + piece));
  }
  return out;
}

const cellsOf = (count: { readonly min: number; readonly max: number }) =>
  fc.array(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 7, maxLength: 7 }), {
    minLength: count.min,
    maxLength: count.max,
  });
const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from(a).reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0));

describe.each(RULES)('$kind', (rule) => {
  test('of cells that all say the same is what they say', () => {
    fc.assert(
      fc.property(cellsOf({ min: 1, max: 1 }), fc.integer({ min: 1, max: 9 }), ([cell], count) => {
        const out = combine(rule, Array(count).fill(cell!));
        expect(apart(out, cell!)).toBeLessThan(1e-9);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test('does not depend on the order of cells, nor on how the vector is cut', () => {
    fc.assert(
      fc.property(cellsOf({ min: 2, max: 9 }), (cells) => {
        const out = combine(rule, cells);
        expect(apart(combine(rule, [...cells].reverse()), out)).toBeLessThan(1e-9);
        expect([...combine(rule, cells, { piece: 3 })]).toEqual([...out]);
        expect(apart(combine(rule, cells, { piece: 7 }), out)).toBeLessThan(1e-9);
      }),
      { seed: 2, numRuns: 50 },
    );
  });

  test('lies within what the cells span, however they differ', () => {
    fc.assert(
      fc.property(cellsOf({ min: 2, max: 9 }), (cells) => {
        const longest = Math.max(...cells.map((cell) => apart(cell, Array(7).fill(0))));
        // The rules by coordinates may leave the ball, by no more than its corners.
        const most = isCoordinateWise(rule) ? longest * Math.sqrt(7) : longest;
        expect(apart(combine(rule, cells), Array(7).fill(0))).toBeLessThanOrEqual(most + 1e-9);
      }),
      { seed: 3, numRuns: 50 },
    );
  });
});

describe('with a quarter of the cells spoilt', () => {
  const honest = [1, 1, 1, 1, 1, 1, 1];
  /** Six cells near the truth, and two that say what they like. */
  const spoilt = (lie: readonly number[]) => [
    ...Array.from({ length: 6 }, (_, i) => honest.map((x, k) => x + 0.1 * Math.sin(3 * i + k))),
    lie,
    lie,
  ];

  test.each(ROBUST)('$kind stays near the honest mean, whatever the others say', (rule) => {
    for (const size of [-1, -3, -100, -1e6, 1e6]) {
      const out = combine(rule, spoilt(honest.map((x) => size * x)));
      expect(apart(out, honest), `lie of ${size}`).toBeLessThan(1.2);
      // In the honest direction.
      expect(out.reduce((sum, x) => sum + x, 0)).toBeGreaterThan(0);
    }
  });

  test('a plain mean does not', () => {
    const out = combine({ kind: 'mean' }, spoilt(honest.map((x) => -100 * x)));
    expect(out[0]).toBeLessThan(-10);
  });

  test('norm-clip bounds what they can do by their part', () => {
    const out = combine({ kind: 'norm-clip' }, spoilt(honest.map((x) => -1e6 * x)));
    expect(apart(out, honest)).toBeLessThan(0.25 * 2 * 1.1 * Math.sqrt(7));
    expect(out[0]).toBeGreaterThan(0);
  });
});

test('a mean goes by the weights of the cells', () => {
  const out = combine({ kind: 'mean' }, [[0], [3]], { weights: [1, 2] });
  expect(out[0]).toBeCloseTo(2, 12);
});

test('Krum leaves out the cells that are far from all others', () => {
  const gram = [0, 1, 2].map(() => new Float64Array(3));
  addProducts(gram, [Float64Array.of(1), Float64Array.of(1.1), Float64Array.of(9)]);
  const [a, b, c] = coefficients({ kind: 'multi-krum', corrupt: 0.34 }, gram, [1, 1, 1]);
  expect([a, b, c]).toEqual([0.5, 0.5, 0]);
});
