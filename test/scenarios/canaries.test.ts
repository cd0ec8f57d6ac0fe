import { NO_FAULTS, simulate } from '@starling/sim';
import { expect, test } from 'vitest';

/** A checker that cannot see a broken rule is worth nothing: each canary breaks one on purpose. */
const SEEDS = 200;

async function firstCaught(canary: 'never-both' | 'reuse-update', dropout: number) {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const swarm = { peers: 8, dim: 50, rounds: 3, dropout, byzantine: 0, seed, canary };
    const { violations } = await simulate(swarm);
    if (violations.length > 0) return violations[0]!;
  }
  return 'not caught';
}

test('revealing both kinds of share is caught', async () => {
  expect(await firstCaught('never-both', 0.2)).toMatch(/^never-both: /);
});

test('using a burnt update again is caught [R-20]', async () => {
  expect(await firstCaught('reuse-update', 0.3)).toMatch(/^update-once: /);
});

test('without the canary the same runs are clean', async () => {
  const swarm = { peers: 8, dim: 50, rounds: 3, dropout: 0.2, byzantine: 0 };
  for (let seed = 1; seed <= 5; seed++) {
    expect((await simulate({ ...swarm, seed })).violations).toEqual([]);
  }
});

test('the dummy session gives the same guarantees but privacy', async () => {
  const swarm = { peers: 6, dim: 50, rounds: 2, dropout: 0.1, byzantine: 0, seed: 3 };
  const report = await simulate({ ...swarm, protection: 'none', faults: NO_FAULTS });
  expect(report.violations).toEqual([]);
  expect(report.rounds.map(({ sumExact }) => sumExact)).toEqual([true, true]);
});
