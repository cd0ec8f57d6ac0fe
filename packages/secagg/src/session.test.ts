import { byzantineMax, type MessageOf } from '@starling/protocol-secagg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CellOptions, type Crash, runCell } from './testing/cell.ts';
import { endedIn, sent, violations } from './testing/checks.ts';
import { createDice, type Dice } from './testing/random.ts';
import type { PhaseName } from './types.ts';
import { hararyGraph } from './wide/index.ts';

const PHASES: readonly PhaseName[] = ['shares', 'chunks', 'decide', 'sums', 'unmask', 'verify'];

function drawCrashes(dice: Dice, members: number, count: number): readonly Crash[] {
  const left = [...Array(members).keys()];
  return Array.from({ length: count }, () => ({
    member: left.splice(dice.below(left.length), 1)[0]!,
    phase: dice.pick(PHASES),
    count: dice.below(dice.chance(0.5) ? 4 : 40),
  }));
}

/** A cell with everything that a seed can vary, but for crashes. */
function drawCell(seed: number, dice: Dice): CellOptions {
  const members = 3 + dice.below(8);
  return {
    members,
    seed,
    loss: dice.pick([0, 0.1, 0.4]),
    duplication: 0.1,
    hints: dice.chance(0.5),
    light: dice.chance(0.3) ? [dice.below(members)] : [],
    unmasking: dice.pick(['local', 'shared']),
  };
}

const seeds = fc.nat(2 ** 31 - 1);
const check = (runs: number, property: (seed: number, dice: Dice) => void) =>
  fc.assert(
    fc.property(seeds, (seed) => property(seed, createDice(seed))),
    { numRuns: runs, seed: 20_240_601 },
  );

describe('with at most f members lost, every living member opens the exact sum', () => {
  test('crashes at any phase boundary and inside any phase [S-16][S-24]', () => {
    check(60, (seed, dice) => {
      const cell = drawCell(seed, dice);
      const lost = dice.below(byzantineMax(cell.members) + 1);
      const run = runCell({ ...cell, crashes: drawCrashes(dice, cell.members, lost) });
      expect(violations(run)).toEqual([]);
      for (const { alive, state } of run.members) {
        if (alive) expect(state.outcome?.kind).toBe('sum');
      }
    });
  });

  test('a member that is alive but late is dropped, and no other', () => {
    check(15, (seed, dice) => {
      const cell = drawCell(seed, dice);
      const members = Math.max(4, cell.members);
      const late = dice.below(members);
      const run = runCell({ ...cell, members, light: [], slow: [late] });
      expect(violations(run)).toEqual([]);
      const expected = [...Array(members).keys()].filter((m) => m !== late);
      expect(endedIn(run, 'sum').map(({ outcome }) => outcome.survivors)).toEqual(
        Array.from({ length: members }, () => expected),
      );
    });
  });

  test('a cell of sixteen', () => {
    check(3, (seed, dice) => {
      const crashes = drawCrashes(dice, 16, byzantineMax(16));
      const run = runCell({ members: 16, seed, crashes, loss: 0.1, hints: dice.chance(0.5) });
      expect(violations(run)).toEqual([]);
      const living = run.members.filter(({ alive }) => alive);
      expect(living.map(({ state }) => state.outcome?.kind)).toEqual(living.map(() => 'sum'));
    });
  });
});

test('with any number of members lost, rules hold and nobody waits for ever [S-20]', () => {
  check(80, (seed, dice) => {
    const cell = drawCell(seed, dice);
    const crashes = drawCrashes(dice, cell.members, dice.below(cell.members));
    const slow = dice.chance(0.3) ? [dice.below(cell.members)] : [];
    const run = runCell({ ...cell, crashes, slow });
    expect(violations(run)).toEqual([]);
    expect(run.members.filter(({ alive, state }) => alive && !state.outcome)).toEqual([]);
  });
});

test('without protection the same sums come out', () => {
  check(10, (seed, dice) => {
    const cell = drawCell(seed, dice);
    const crashes = drawCrashes(dice, cell.members, dice.below(byzantineMax(cell.members) + 1));
    const run = runCell({ ...cell, crashes, protection: 'none' });
    expect(violations(run)).toEqual([]);
    expect(endedIn(run, 'sum').length).toBeGreaterThan(0);
    expect(sent(run.deeds).some(([, { kind }]) => kind === 'unmask')).toBe(false);
  });
});

describe('on a k-regular graph', () => {
  const order = Array.from({ length: 20 }, (_, i) => (i * 7) % 20);
  const ring = hararyGraph(order, 12);
  const neighbours = order.map((_, member) => ring.neighbours(member));
  const graph = { neighbours, shareThreshold: 8 };

  test('members mask with their neighbours only, and the exact sum comes out', () => {
    const crashes = [{ member: 3, phase: 'sums', count: 0 }] as const;
    const run = runCell({ members: 20, seed: 8, graph, slow: [5], crashes, hints: true });
    expect(violations(run)).toEqual([]);
    const sums = endedIn(run, 'sum');
    expect(sums).toHaveLength(19);
    expect(sums[0]!.outcome.survivors).not.toContain(5);
    const bundle = run.members[0]!.state.inbox.get('keyshare/0') as MessageOf<'keyshare'>;
    expect(bundle.dealt).toHaveLength(12);
  });

  test('survivors that do not hang together are not enough [S-29]', () => {
    const halves = [...Array(20).keys()].map((m) =>
      [...Array(20).keys()].filter((other) => other !== m && other < 10 === m < 10),
    );
    const split = { neighbours: halves, shareThreshold: 7 };
    const run = runCell({ members: 20, seed: 9, graph: split });
    expect(endedIn(run, 'sum')).toEqual([]);
  });
});

test('a run is a function of its options', () => {
  const options: CellOptions = { members: 5, seed: 77, loss: 0.3, duplication: 0.2 };
  const [first, second] = [runCell(options), runCell(options)];
  expect(second.deeds).toEqual(first.deeds);
  expect(second.elapsedMs).toBe(first.elapsedMs);
});

describe('more than f members lost before anybody precommitted a survivor set', () => {
  const lose = (members: number, count: number, hints: boolean) =>
    runCell({
      members,
      seed: members,
      hints,
      crashes: [...Array(count).keys()].map((member) => ({ member, phase: 'decide', count: 0 })),
    });

  test.each([
    [3, 1, 'retry'],
    [5, 2, 'retry'],
    [6, 2, 'retry'],
    // 2f + 1 ABANDONs are more than are left alive.
    [4, 2, 'burnt'],
    [7, 3, 'burnt'],
  ] as const)('%i members, %i lost: %s', (members, count, kind) => {
    for (const hints of [true, false]) {
      const run = lose(members, count, hints);
      expect(violations(run)).toEqual([]);
      const living = run.members.filter(({ alive }) => alive);
      expect(living).toHaveLength(members - count);
      expect(living.map(({ state }) => state.outcome?.kind)).toEqual(living.map(() => kind));
      expect(sent(run.deeds).filter(([, message]) => message.kind === 'unmask')).toEqual([]);
    }
  });

  test('a hint shortens the wait', () => {
    expect(lose(3, 1, true).elapsedMs).toBeLessThan(lose(3, 1, false).elapsedMs / 2);
  });
});

describe('the canary', () => {
  test('with the rule switched off, the checker sees both kinds', () => {
    // Somebody must stay silent, or no share is published at all.
    const crashes: readonly Crash[] = [{ member: 1, phase: 'sums', count: 0 }];
    const cell: CellOptions = { members: 4, seed: 3, crashes };
    expect(violations(runCell(cell))).toEqual([]);
    const broken = violations(runCell({ ...cell, canary: 'never-both' }));
    expect(broken).toContain('both kinds revealed of member 1');
  });
});
