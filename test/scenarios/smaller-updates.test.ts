import { NO_FAULTS, type SimOptions, simulate } from '@starling/sim';
import { describe, expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';

const BASE: SimOptions = {
  ...{ peers: 8, dim: 700, rounds: 4, dropout: 0, byzantine: 0, seed: 1 },
};
const NARROW = { ringBits: 8, rotation: 'hadamard', errorFeedback: true } as const;
const KINDS: readonly (readonly [name: string, changes: Partial<SimOptions>])[] = [
  ['8 bits, rotated, with error feedback', { smaller: NARROW }],
  ['a tenth of the weights', { smaller: { ...NARROW, ringBits: 12, sparsity: 0.1 } }],
  ['rotated cells', { peers: 24, cellSize: 6, smaller: { rotation: 'hadamard', ringBits: 16 } }],
];

test.each(KINDS)('%s: every peer applies the same sums to the same bits', async (_, changes) => {
  const report = await simulate({ ...BASE, ...changes, faults: NO_FAULTS });
  expect(report.violations).toEqual([]);
  expect(report.roundsFinished).toBe(4);
  for (const { sumExact, attempts } of report.rounds) {
    expect({ sumExact, attempts }).toEqual({ sumExact: true, attempts: 1 });
  }
});

describe('under deaths and lies', () => {
  const seeds = isFull ? [31, 32, 33, 34, 35, 36] : [31, 32];
  test.each(seeds)('seed %i: residuals neither break a rule nor stop a round', async (seed) => {
    const options = { ...BASE, seed, dropout: 0.1, byzantine: 0.1, smaller: NARROW };
    const report = await simulate(options);
    expect(report.violations).toEqual([]);
    expect(report.roundsFinished).toBe(4);
    expect(report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
    expect((await simulate(options)).traceHash).toBe(report.traceHash);
  });
});

test('8 bits cost less than half of the bytes that 24 do', async () => {
  const options = { ...BASE, dim: 60_000, rounds: 1, faults: NO_FAULTS };
  const wide = await simulate(options);
  const narrow = await simulate({ ...options, smaller: NARROW });
  // Chunks of sums are wider by the bits that peers add, and messages stay as they are.
  expect(narrow.bytesPerPeer.mean / wide.bytesPerPeer.mean).toBeLessThan(0.5);
});
