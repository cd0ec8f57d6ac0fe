import { simulate } from '@starling/sim';
import { describe, expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';
import { optionsOf } from './seed-options.ts';

/**
 * Virtual swarms with the fault mix of their seed; the first fifty run twice, and both runs must be
 * the same.
 */
const SEEDS = isFull ? 2_000 : 50;
/** Seeds that run twice; a run that is not a function of its seed shows soon. */
const TWICE = 50;
describe('a swarm under loss, delay, duplication, crashes, restarts and partitions', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const again = seed <= TWICE ? ', the same run twice' : '';
    test(`seed ${seed}: every sum exact, no rule broken${again}`, async () => {
      const first = await simulate(optionsOf(seed));
      expect(first.violations).toEqual([]);
      expect(first.roundsFinished).toBe(2);
      expect(first.rounds.every(({ sumExact }) => sumExact)).toBe(true);
      if (seed > TWICE) return;
      const second = await simulate(optionsOf(seed));
      expect(second.traceHash).toBe(first.traceHash);
    });
  }
});

test('another seed is another run', async () => {
  const [one, two] = await Promise.all([1, 2].map((seed) => simulate({ ...optionsOf(1), seed })));
  expect(one!.traceHash).not.toBe(two!.traceHash);
});
