import type { JobId } from '@starling/core';
import { epsilonOf, epsilonOfExamples } from '@starling/privacy';
import { expect, test } from 'vitest';
import { privacyView } from './privacy-view.ts';

const [one, two] = ['1'.repeat(64) as JobId, '2'.repeat(64) as JobId];

test('each data set with its jobs, what is spent, and what the budget leaves', () => {
  const { datasets } = privacyView({
    spent: {
      updates: [
        { dataset: 'scans', job: one, updates: 3, rho: 0.3 },
        { dataset: 'scans', job: two, updates: 1, rho: 0.1 },
      ],
      examples: [],
    },
    policy: {
      privacyBudgets: new Map([
        ['scans', { epsilon: 6, delta: 1e-6 }],
        ['gone', { epsilon: 1, delta: 1e-5 }],
      ]),
    },
    datasets: ['notes', 'scans'],
    nameOf: (job) => (job === one ? 'mnist' : undefined),
  });
  expect(datasets.map(({ dataset }) => dataset)).toEqual(['gone', 'notes', 'scans']);
  const [gone, notes, scans] = datasets;
  expect(gone).toMatchObject({ epsilon: 0, left: { epsilon: 1 }, jobs: [] });
  expect(notes).toEqual({
    ...{ dataset: 'notes', budget: null, epsilon: 0, delta: 1e-5, rho: 0, left: null, jobs: [] },
    examples: null,
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
    spent: { updates: [{ dataset: 'a', job: one, updates: 1, rho: 5 }], examples: [] },
    policy: { privacyBudgets: new Map([['a', { epsilon: 1, delta: 1e-5 }]]) },
    ...{ datasets: [], nameOf: () => undefined },
  });
  expect(datasets[0]!.left).toEqual({ epsilon: 0, rho: 0 });
});

test('what trainings with noise gave away of single examples is an account of its own', () => {
  const cost = { multiplier: 1.1, rate: 0.01, steps: 100 };
  const { datasets } = privacyView({
    spent: { updates: [], examples: [{ dataset: 'scans', costs: [cost, cost] }] },
    policy: {
      privacyBudgets: new Map([['scans', { epsilon: 3, delta: 1e-6 }]]),
      exampleNoise: new Map([['notes', { clippingNorm: 1, noiseMultiplier: 2 }]]),
    },
    ...{ datasets: ['other'], nameOf: () => undefined },
  });
  const [notes, other, scans] = datasets;
  expect(notes!.examples).toEqual({
    noise: { clippingNorm: 1, noiseMultiplier: 2 },
    ...{ trainings: 0, epsilon: 0 },
  });
  expect(other!.examples).toBeNull();
  const epsilon = epsilonOfExamples([{ ...cost, steps: 200 }], 1e-6);
  expect(scans!.examples).toEqual({ noise: null, trainings: 2, epsilon });
  expect(scans).toMatchObject({ epsilon: 0, left: { epsilon: 3 } });
});
