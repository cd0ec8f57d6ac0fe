import { expect, test } from 'vitest';
import { cellAbortProbability, cellCollusionBits, cellOverrunBits } from './cells.ts';

const SIZES = [16, 32, 48, 64, 96, 128];

/** As published; `<` stands for less than −200. */
test.each([
  [0.05, '-31 -72 -118 -166 < <'],
  [0.1, '-20 -47 -75 -100 -168 <'],
  [0.2, '-9 -24 -40 -52 -85 -118'],
  [0.3, '-3 -13 -22 -28 -47 -64'],
])('1000 peers, %d of them corrupt: some cell has t of them', (corruptFraction, wanted) => {
  const bits = SIZES.map((cellPeers) =>
    cellCollusionBits({ peers: 1000, cellPeers, corruptFraction }),
  );
  expect(bits.map((value) => (value < -200 ? '<' : Math.round(value))).join(' ')).toBe(wanted);
});

test('a threshold of half the cell, and a cell whose own decision is lost', () => {
  const cell = { peers: 1000, cellPeers: 64 };
  const half = (corruptFraction: number) =>
    Math.round(cellCollusionBits({ ...cell, corruptFraction, least: 33 }));
  expect([half(0.1), half(0.2)]).toEqual([-56, -24]);
  const overrun = (corruptFraction: number) =>
    Math.round(cellOverrunBits({ ...cell, corruptFraction }));
  expect([overrun(0.1), overrun(0.2)]).toEqual([-21, -4]);
});

test('too few corrupt peers for any cell', () => {
  const few = { peers: 1000, cellPeers: 96, corruptFraction: 0.05 };
  expect(cellCollusionBits(few)).toBe(Number.NEGATIVE_INFINITY);
  expect(cellCollusionBits({ peers: 100, cellPeers: 4, corruptFraction: 1 })).toBe(0);
});

test.each([
  [32, 0.05, 2e-7],
  [64, 0.05, 2e-13],
  [32, 0.1, 2e-4],
  [64, 0.1, 1e-7],
  [32, 0.2, 0.04],
  [64, 0.2, 0.005],
])(
  'a cell of %i aborts when each is lost with %d: about %d',
  (cellPeers, dropoutFraction, about) => {
    const probability = cellAbortProbability({ cellPeers, dropoutFraction });
    // The published values have one digit.
    expect(Number(probability.toPrecision(1))).toBe(about);
  },
);

test('nobody lost, everybody lost', () => {
  expect(cellAbortProbability({ cellPeers: 32, dropoutFraction: 0 })).toBe(0);
  expect(cellAbortProbability({ cellPeers: 32, dropoutFraction: 1 })).toBe(1);
  const third = cellAbortProbability({ cellPeers: 32, dropoutFraction: 0.3 });
  expect(third).toBeGreaterThan(0.25);
  expect(third).toBeLessThan(0.4);
});
