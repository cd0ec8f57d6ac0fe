import type { PeerId } from '@starling/core';
import { NO_FAULTS, type SimOptions, simulate } from '@starling/sim';
import { describe, expect, test } from 'vitest';

/** More peers than two cells of this size take, so that they mask on a graph. */
const WIDE: SimOptions = {
  ...{ peers: 24, cellSize: 6, graph: 'wide', dim: 90, rounds: 2 },
  ...{ dropout: 0, byzantine: 0, seed: 1 },
};

test('a wide roster is one sum of everybody, opened by all', async () => {
  const sessions: { roster: readonly PeerId[]; cells: number }[] = [];
  const report = await simulate({
    ...WIDE,
    faults: NO_FAULTS,
    onNotice: (_, notice) => {
      if (notice.kind !== 'sum') return;
      sessions.push({ roster: notice.survivors, cells: notice.cells.length });
    },
  });
  expect(report.violations).toEqual([]);
  expect(report.rounds.at(-1)).toEqual({
    ...{ sumExact: true, survivors: 24, attempts: 1, decision: 'survivors' },
  });
  for (const { cells } of sessions) expect(cells).toBe(1);
  expect(sessions.at(-1)!.roster).toHaveLength(24);
});

describe('a wide roster under faults, deaths and lies', () => {
  for (let seed = 1; seed <= 6; seed++) {
    test(`seed ${seed}: every sum exact, no rule broken`, async () => {
      const report = await simulate({
        ...{ ...WIDE, peers: 18 + seed, seed },
        ...{ dropout: [0, 0.05][seed % 2]!, byzantine: [0, 0.1][seed % 2]! },
        unmasking: seed % 2 === 0 ? 'local' : 'shared',
      });
      expect(report.violations).toEqual([]);
      expect(report.roundsFinished).toBe(2);
      expect(report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
    });
  }
});
