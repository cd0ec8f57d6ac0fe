import { NO_FAULTS, type SimOptions, simulate } from '@starling/sim';
import { describe, expect, test } from 'vitest';

/** Rosters that are cut into cells: many peers, one result. */
const FULL = process.env['STARLING_TEST_SIZE'] === 'full';

const calm: SimOptions = {
  ...{ peers: 24, cellSize: 8, dim: 90, rounds: 2, dropout: 0, byzantine: 0, seed: 1 },
  faults: NO_FAULTS,
};

test('three cells: everybody is in the sum, cells were confirmed and collected', async () => {
  const seen = new Set<string>();
  const report = await simulate({
    ...calm,
    onNotice: (_, notice) => {
      if (notice.kind === 'phase') seen.add(notice.phase);
      if (notice.kind === 'sum') expect(notice.cells).toHaveLength(3);
    },
  });
  expect(report.violations).toEqual([]);
  expect(report.rounds.map(({ sumExact }) => sumExact)).toEqual([true, true]);
  expect(report.rounds.every(({ survivors }) => survivors >= 22)).toBe(true);
  for (const phase of ['confirm', 'collect', 'verify']) expect(seen).toContain(phase);
});

test('the cells are others in every round', async () => {
  const cells = new Map<number, string>();
  await simulate({
    ...calm,
    onNotice: (_, notice) => {
      if (notice.kind === 'sum') cells.set(notice.round, JSON.stringify(notice.cells));
    },
  });
  expect(new Set(cells.values()).size).toBe(2);
});

test('the same options give the same run', async () => {
  const options = { ...calm, dropout: 0.1, byzantine: 0.1 };
  const [first, second] = [await simulate(options), await simulate(options)];
  expect(second.traceHash).toBe(first.traceHash);
});

describe('under loss, delay, duplication, crashes, restarts, partitions and liars', () => {
  const seeds = FULL ? 60 : 8;
  for (let seed = 1; seed <= seeds; seed++) {
    test(`seed ${seed}: every sum exact, no rule broken`, async () => {
      const sizes = { peers: 20 + (seed % 9), cellSize: 6 + (seed % 3) };
      const { faults: _, ...options } = calm;
      const drawn = { ...options, ...sizes, seed, dropout: 0.05 * (seed % 3), byzantine: 0.1 };
      const report = await simulate(drawn);
      expect(report.violations).toEqual([]);
      expect(report.roundsFinished).toBe(2);
      expect(report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
    });
  }
});

test.runIf(FULL)('three hundred peers in cells of sixty', { timeout: 600_000 }, async () => {
  const size = { peers: 300, cellSize: 60, dim: 1_000 };
  const report = await simulate({ ...calm, ...size, dropout: 0.05, byzantine: 0.05 });
  expect(report.violations).toEqual([]);
  expect(report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
});
