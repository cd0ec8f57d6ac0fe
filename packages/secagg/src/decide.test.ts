import { fromHex } from '@starling/core';
import { byzantineMax, type DecisionValue, threshold } from '@starling/protocol-secagg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advance,
  createDecision,
  type DecideIo,
  type DecideMessage,
  hashOfValue,
  receive,
  timeout,
} from './decide.ts';
import { Council, type CouncilOptions } from './testing/council.ts';
import { createDice } from './testing/random.ts';

const A: DecisionValue = { kind: 'set', members: new Uint8Array([0b1011]), bound: [] };
const B: DecisionValue = { kind: 'set', members: new Uint8Array([0b0111]), bound: [] };
const ABORT: DecisionValue = { kind: 'abort' };
const VALUES = [A, B, ABORT];

function council(seed: number, options: Partial<CouncilOptions> = {}): Council {
  const dice = createDice(seed);
  const members = 3 + dice.below(8);
  const candidate = (member: number) => VALUES[(seed + member) % 3]!;
  return new Council({ members, dice, candidate, values: VALUES, equivocate: true, ...options });
}

const check = (numRuns: number, property: (seed: number) => void) =>
  fc.assert(fc.property(fc.nat(), property), { numRuns, seed: 11 });

describe('with at most f liars', () => {
  test('two honest members never decide differently, whatever liars and network do', () => {
    let decided = 0;
    // A decision is final, so two of them would still stand at the end.
    check(200, (seed) => {
      const members = council(seed);
      for (let i = 0; i < 300; i++) members.disturb();
      members.calm(12);
      expect(members.decisions().size).toBeLessThan(2);
      decided += members.decisions().size;
    });
    expect(decided).toBeGreaterThan(50);
  });

  test('once faults stop, all honest members decide', () => {
    check(100, (seed) => {
      const members = council(seed, { equivocate: false });
      for (let i = 0; i < 300; i++) members.disturb();
      members.calm();
      for (const { state } of members.honest) expect(state.decision).toBeDefined();
      expect(members.decisions().size).toBe(1);
    });
  });

  test('without the lock the same search finds two decisions', () => {
    const broken = Array.from({ length: 3_000 }, (_, seed) => seed).some((seed) => {
      const members = council(seed, { members: 4, dice: createDice(seed), unlocked: true });
      for (let i = 0; i < 300; i++) members.disturb();
      members.calm(12);
      return members.decisions().size > 1;
    });
    expect(broken).toBe(true);
  });
});

describe('a quiet network', () => {
  test.each([3, 4, 5, 7, 16, 64])('%i members decide the first proposal in view 0', (members) => {
    const quiet = new Council({
      members,
      dice: createDice(members),
      candidate: (member) => (member === 0 ? A : B),
      values: VALUES,
      equivocate: false,
    });
    quiet.calm();
    for (const { state } of quiet.honest) {
      expect(state.decision).toEqual(A);
      expect(state.view).toBe(0);
    }
  });
});

describe('messages', () => {
  const io: DecideIo = {
    isAway: () => false,
    self: 3,
    candidate: () => undefined,
    isValid: () => true,
    send: () => undefined,
    setTimer: () => undefined,
  };
  const propose = (from: number, value: DecisionValue) => ({
    from,
    message: { kind: 'propose', decision: 'survivors', view: 0, validView: null, value } as const,
  });

  test('a proposal by anybody but the proposer is ignored [S-23]', () => {
    const state = createDecision('survivors', 4, [2, 0, 1, 3]);
    for (const { from, message } of [propose(0, A), propose(3, A)]) receive(state, from, message);
    expect(state.proposals.size).toBe(0);
    receive(state, 2, propose(2, B).message);
    receive(state, 2, propose(2, A).message);
    expect(state.proposals.get(0)?.map(({ value }) => value)).toEqual([B, A]);
    receive(state, 2, propose(2, ABORT).message);
    expect(state.proposals.get(0)).toHaveLength(2);
  });

  test('of views far ahead nothing is kept', () => {
    const state = createDecision('survivors', 4, [0, 1, 2, 3]);
    const vote = { kind: 'prevote', decision: 'survivors', value: null } as const;
    receive(state, 1, { ...vote, view: 65 });
    expect(state.tallies.size).toBe(0);
    receive(state, 1, { ...vote, view: 64 });
    expect(state.tallies.size).toBe(1);
  });

  test('f + 1 voices in a later view carry a member along', () => {
    const state = createDecision('survivors', 4, [0, 1, 2, 3]);
    const vote = { kind: 'prevote', decision: 'survivors', value: null, view: 5 } as const;
    receive(state, 1, vote);
    advance(state, io);
    expect(state.step).toBe('waiting');
    receive(state, 2, vote);
    advance(state, io);
    expect([state.step, state.view]).toEqual(['propose', 5]);
  });
});

test('a value once vouched for stays so: later news do not leave its lock alone [S-22]', () => {
  // Member 0 locks A, then may not vouch for A any more; in view 1 it is proposed again.
  let isValid = true;
  const sent: DecideMessage[] = [];
  const state = createDecision('survivors', 4, [1, 2, 3, 0]);
  const io: DecideIo = {
    self: 0,
    candidate: () => undefined,
    isValid: () => isValid,
    isAway: () => false,
    send: (message) => {
      sent.push(message);
      receive(state, 0, message);
    },
    setTimer: () => {},
  };
  const hash = fromHex(hashOfValue(A));
  const decision = 'survivors' as const;
  const hear = (from: number, message: DecideMessage) => {
    receive(state, from, message);
    advance(state, io);
  };
  hear(1, { kind: 'propose', decision, view: 0, validView: null, value: A });
  for (const from of [1, 2]) hear(from, { kind: 'prevote', decision, view: 0, value: hash });
  expect(state.locked?.view).toBe(0);
  isValid = false;
  for (const from of [1, 2, 3]) hear(from, { kind: 'precommit', decision, view: 0, value: null });
  timeout(state, 'precommit', 0, io);
  hear(2, { kind: 'propose', decision, view: 1, validView: 0, value: A });
  expect(sent.at(-1)).toMatchObject({ kind: 'prevote', decision, view: 1, value: hash });
});

test('two quorums meet in an honest member, for every roster', () => {
  for (let members = 3; members <= 128; members++) {
    expect(2 * threshold(members) - members).toBeGreaterThan(byzantineMax(members));
    expect(members - byzantineMax(members)).toBeGreaterThanOrEqual(threshold(members));
  }
});
