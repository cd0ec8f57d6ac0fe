import { NO_FAULTS, type SimOptions, simulate } from '@starling/sim';
import { describe, expect, test } from 'vitest';

const NOISY: SimOptions = {
  ...{ peers: 9, dim: 90, rounds: 2, dropout: 0, byzantine: 0, seed: 1, noiseMultiplier: 0.5 },
};

test('a swarm whose peers all add noise opens the exact sum of what they masked', async () => {
  const report = await simulate({ ...NOISY, faults: NO_FAULTS });
  expect(report.violations).toEqual([]);
  expect(report.roundsFinished).toBe(2);
  for (const { sumExact, survivors, attempts } of report.rounds) {
    expect({ sumExact, survivors, attempts }).toEqual({
      sumExact: true,
      survivors: 9,
      attempts: 1,
    });
  }
});

describe('noise under faults, deaths and lies, in one cell, in cells, on a graph', () => {
  const shapes: readonly Partial<SimOptions>[] = [
    {},
    { peers: 30, cellSize: 7 },
    { peers: 24, cellSize: 6, graph: 'wide' },
  ];
  for (const [i, shape] of shapes.entries()) {
    test(`shape ${i}: every sum exact and in range, no rule broken`, async () => {
      const seed = 20 + i;
      const report = await simulate({ ...NOISY, ...shape, seed, dropout: 0.05, byzantine: 0.1 });
      expect(report.violations).toEqual([]);
      expect(report.roundsFinished).toBe(2);
      expect(report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
    });
  }
});
