import { simulate } from '@starling/sim';
import { expect, test } from 'vitest';

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: fewer than a third dishonest cannot spoil a sum or break a rule',
  async (seed) => {
    const swarm = { peers: 10, dim: 100, rounds: 2, dropout: 0.05, byzantine: 0.2, seed };
    const report = await simulate(swarm);
    expect(report.adversaries).toHaveLength(2);
    expect(report.violations).toEqual([]);
    expect(report.roundsFinished).toBe(2);
    expect(report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
  },
);
