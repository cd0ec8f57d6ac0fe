import { addCoverage, missingIn, NO_FAULTS, simulate } from '@starling/sim';
import { expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';
import { optionsOf } from './seed-options.ts';

test('a run without faults counts none, and misses every pair', async () => {
  const { coverage } = await simulate({ ...optionsOf(1), dropout: 0, faults: NO_FAULTS });
  expect(coverage).toEqual(addCoverage([]));
  expect(missingIn(coverage)).toHaveLength(9 * 6 - 1);
});

test('what was counted by phase is what was injected', async () => {
  const { coverage, faultsInjected } = await simulate(optionsOf(5));
  const total = (kind: 'loss' | 'duplication' | 'crash' | 'cut-request') =>
    Object.values(coverage).reduce((sum, row) => sum + row[kind], 0);
  for (const kind of ['loss', 'duplication', 'crash', 'cut-request'] as const) {
    expect([kind, total(kind)]).toEqual([kind, faultsInjected[kind] ?? 0]);
  }
});

/** As many as docs/simulation.md says. */
const SEEDS = 200;

test.runIf(isFull)('every fault befell peers in every phase', async () => {
  const tables = [];
  for (let seed = 1; seed <= SEEDS; seed++) tables.push((await simulate(optionsOf(seed))).coverage);
  expect(missingIn(addCoverage(tables))).toEqual([]);
});
