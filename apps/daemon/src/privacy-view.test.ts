import type { JobId } from '@starling/core';
import { epsilonOf } from '@starling/privacy';
import { expect, test } from 'vitest';
import { privacyView } from './privacy-view.ts';

const [one, two] = ['1'.repeat(64) as JobId, '2'.repeat(64) as JobId];

test('each data set with its jobs, what is spent, and what the budget leaves', () => {
  const { datasets } = privacyView({
    spent: [
      { dataset: 'scans', job: one, updates: 3, rho: 0.3 },
      { dataset: 'scans', job: two, updates: 1, rho: 0.1 },
    ],
    budgets: new Map([
      ['scans', { epsilon: 6, delta: 1e-6 }],
      ['gone', { epsilon: 1, delta: 1e-5 }],
    ]),
    datasets: ['notes', 'scans'],
    nameOf: (job) => (job === one ? 'mnist' : undefined),
  });
  expect(datasets.map(({ dataset }) => dataset)).toEqual(['gone', 'notes', 'scans']);
  const [gone, notes, scans] = datasets;
  expect(gone).toMatchObject({ epsilon: 0, left: { epsilon: 1 }, jobs: [] });
  expect(notes).toEqual({
    ...{ dataset: 'notes', budget: null, epsilon: 0, delta: 1e-5, rho: 0, left: null, jobs: [] },
  });
  expect(scans!.epsilon).toBe(epsilonOf(scans!.rho, 1e-6));
  expect(scans!.rho).toBeCloseTo(0.4, 12);
  expect(scans!.left!.epsilon).toBeCloseTo(6 - scans!.epsilon, 12);
  // What is left in ρ, spent on top, makes the budget.
  expect(epsilonOf(scans!.rho + scans!.left!.rho, 1e-6)).toBeCloseTo(6, 6);
  expect(scans!.jobs).toEqual([
    { job: one, name: 'mnist', updates: 3, epsilon: epsilonOf(0.3, 1e-6), rho: 0.3 },
    { job: two, name: null, updates: 1, epsilon: epsilonOf(0.1, 1e-6), rho: 0.1 },
  ]);
});

test('a budget that was lowered below what is spent leaves nothing', () => {
  const { datasets } = privacyView({
    ...{ spent: [{ dataset: 'a', job: one, updates: 1, rho: 5 }], datasets: [] },
    ...{ budgets: new Map([['a', { epsilon: 1, delta: 1e-5 }]]), nameOf: () => undefined },
  });
  expect(datasets[0]!.left).toEqual({ epsilon: 0, rho: 0 });
});
