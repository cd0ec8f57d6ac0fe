/** The decision's rules one by one, in one member of four (f = 1, quorum 3) that hears messages. */
import { fromHex } from '@starling/core';
import { type DecisionValue, VIEW_MAX } from '@starling/protocol-secagg';
import { describe, expect, test } from 'vitest';
import {
  advance,
  createDecision,
  type DecideIo,
  type DecideMessage,
  hashOfValue,
  receive,
  type TimeoutStep,
  timeout,
} from './decide.ts';

const A: DecisionValue = { kind: 'set', members: new Uint8Array([0b1011]), bound: [] };
const B: DecisionValue = { kind: 'set', members: new Uint8Array([0b0111]), bound: [] };
const ABORT: DecisionValue = { kind: 'abort' };
const C: DecisionValue = { kind: 'set', members: new Uint8Array([0b1101]), bound: [] };
const hashed = (value: DecisionValue | null) =>
  value === null ? null : fromHex(hashOfValue(value));
const decision = 'survivors' as const;

interface Given {
  readonly self?: number;
  readonly candidate?: DecisionValue;
  readonly valid?: readonly DecisionValue[];
  readonly away?: readonly number[];
  /** Whether it hears itself, as a real one does. */
  readonly hearsItself?: boolean;
}

/** Member 3 unless told; member v proposes in view v. */
function member({ self = 3, candidate, valid = [A, B, C, ABORT], away = [], ...more }: Given = {}) {
  const state = createDecision(decision, 4, [0, 1, 2, 3]);
  const sent: DecideMessage[] = [];
  const timers: string[] = [];
  const io: DecideIo = {
    self,
    candidate: () => candidate,
    isValid: (value) => valid.some((each) => hashOfValue(each) === hashOfValue(value)),
    isAway: (each) => away.includes(each),
    send: (message) => {
      sent.push(message);
      if (more.hearsItself) receive(state, self, message);
    },
    setTimer: (step, view) => void timers.push(`${step} ${view}`),
  };
  const hear = (from: number, message: DecideMessage) => {
    receive(state, from, message);
    advance(state, io);
  };
  const vote = (kind: 'prevote' | 'precommit', view: number, value: DecisionValue | null) =>
    ({ kind, decision, view, value: hashed(value) }) as const;
  return {
    ...{ state, sent, timers, hear },
    propose: (view: number, value: DecisionValue, validView: number | null = null) =>
      hear(view % 4, { kind: 'propose', decision, view, validView, value }),
    votes: (
      kind: 'prevote' | 'precommit',
      view: number,
      value: DecisionValue | null,
      from: readonly number[],
    ) => {
      for (const each of from) hear(each, vote(kind, view, value));
    },
    late: (step: TimeoutStep, view: number) => timeout(state, step, view, io),
    start: () => advance(state, io),
    last: () => {
      const message = sent.at(-1);
      return message === undefined || message.kind === 'propose'
        ? message
        : [message.kind, message.view, message.value];
    },
  };
}

describe('the start', () => {
  test('waits for a value of its own, or one it can vouch for', () => {
    const waiting = member({ valid: [] });
    waiting.start();
    waiting.propose(0, A);
    expect(waiting.state.step).toBe('waiting');
    expect(waiting.timers).toEqual([]);
    const ready = member({ candidate: B, valid: [] });
    ready.start();
    expect(ready.state.step).toBe('propose');
    expect(ready.timers).toEqual(['propose 0']);
  });

  test('a proposer proposes its own value once, and nobody else does', () => {
    const proposer = member({ self: 0, candidate: B });
    proposer.start();
    proposer.start();
    expect(proposer.sent).toEqual([
      { kind: 'propose', decision, view: 0, validView: null, value: B },
    ]);
    const other = member({ self: 1, candidate: B });
    other.start();
    expect(other.sent).toEqual([]);
  });
});

describe('prevotes', () => {
  test('for what it can vouch for, once', () => {
    const m = member();
    m.propose(0, A);
    m.start();
    expect(m.sent).toEqual([{ kind: 'prevote', decision, view: 0, value: hashed(A) }]);
  });

  test('for nothing when the proposal does not come, and not before', () => {
    const m = member({ candidate: A });
    m.start();
    m.late('propose', 1);
    m.late('prevote', 0);
    m.late('precommit', 1);
    expect(m.sent).toEqual([]);
    m.late('propose', 0);
    expect(m.last()).toEqual(['prevote', 0, null]);
  });

  test('for nothing at once when the proposer is gone', () => {
    const m = member({ candidate: A, away: [0] });
    m.start();
    expect(m.last()).toEqual(['prevote', 0, null]);
    const other = member({ candidate: A, away: [1, 2] });
    other.start();
    expect(other.sent).toEqual([]);
  });

  test('for a value of an earlier view only when a quorum prevoted it there', () => {
    const m = member();
    m.votes('prevote', 1, null, [0, 1]);
    expect(m.state.view).toBe(1);
    m.propose(1, A, 0);
    expect(m.sent).toEqual([]);
    m.votes('prevote', 0, A, [0, 1]);
    expect(m.sent).toEqual([]);
    m.votes('prevote', 0, A, [2]);
    expect(m.last()).toEqual(['prevote', 1, hashed(A)]);
  });
});

/** Locked on A in view 0, and now in view 1. */
function locked(more: Given = {}) {
  const m = member(more);
  m.propose(0, A);
  m.votes('prevote', 0, A, [0, 1, 3]);
  expect(m.last()).toEqual(['precommit', 0, hashed(A)]);
  m.votes('precommit', 0, null, [0, 1, 2]);
  expect(m.state).toMatchObject({ view: 1, locked: { view: 0, hash: hashOfValue(A) } });
  return m;
}

describe('the lock', () => {
  test('needs a quorum, and binds: another value gets nothing', () => {
    const two = member();
    two.propose(0, A);
    two.votes('prevote', 0, A, [0, 3]);
    expect(two.state.locked).toBeUndefined();
    const m = locked();
    m.propose(1, B);
    expect(m.last()).toEqual(['prevote', 1, null]);
  });

  test('the same value again is prevoted', () => {
    const m = locked();
    m.propose(1, A);
    expect(m.last()).toEqual(['prevote', 1, hashed(A)]);
  });

  test('opens for a value that a quorum prevoted later', () => {
    const m = locked();
    m.votes('precommit', 1, null, [0, 1, 2]);
    m.votes('prevote', 1, B, [0, 1, 2]);
    m.propose(2, B, 1);
    expect(m.last()).toEqual(['prevote', 2, hashed(B)]);
  });

  test('does not open for one that a quorum prevoted before it', () => {
    const m = member();
    m.votes('prevote', 1, null, [0, 1]);
    m.propose(1, A);
    m.votes('prevote', 1, A, [0, 1, 3]);
    expect(m.state.locked?.view).toBe(1);
    m.votes('precommit', 1, null, [0, 1, 2]);
    m.votes('prevote', 0, B, [0, 1, 2]);
    m.propose(2, B, 0);
    expect(m.last()).toEqual(['prevote', 2, null]);
  });

  test('its value is proposed again by its holder, with the view of it', () => {
    const m = locked({ self: 1, candidate: B, hearsItself: true });
    const proposals = m.sent.filter(({ kind }) => kind === 'propose');
    expect(proposals).toEqual([{ kind: 'propose', decision, view: 1, validView: 0, value: A }]);
  });

  test('precommitting a set is remembered, an abort is no set', () => {
    expect(locked().state.precommittedSet).toBe(true);
    const m = member();
    m.propose(0, ABORT);
    m.votes('prevote', 0, ABORT, [0, 1, 3]);
    expect(m.last()).toEqual(['precommit', 0, hashed(ABORT)]);
    expect(m.state.precommittedSet).toBe(false);
  });
});

describe('precommits', () => {
  test('for nothing, when a quorum prevoted nothing or the time is up', () => {
    const m = member();
    m.propose(0, A);
    m.votes('prevote', 0, null, [0, 1]);
    expect(m.state.step).toBe('prevote');
    m.votes('prevote', 0, null, [2]);
    expect(m.last()).toEqual(['precommit', 0, null]);
    const slow = member();
    slow.propose(0, A);
    slow.late('precommit', 7);
    slow.late('prevote', 0);
    expect(slow.last()).toEqual(['precommit', 0, null]);
  });

  test('of a quorum for a value decide it, in whatever view, and for good', () => {
    const m = member({ valid: [] });
    m.votes('precommit', 0, A, [0, 1, 2]);
    expect(m.state.decision).toBeUndefined();
    m.propose(0, A);
    expect(m.state).toMatchObject({ step: 'decided', decision: A });
    m.late('precommit', 0);
    m.votes('prevote', 3, null, [0, 1, 2]);
    expect(m.state).toMatchObject({ step: 'decided', view: 0 });
  });

  test('of less than a quorum decide nothing', () => {
    const m = member();
    m.propose(0, A);
    m.votes('precommit', 0, A, [0, 1]);
    expect(m.state.decision).toBeUndefined();
  });

  test('of a quorum for nothing lead on at once, the time being up does too', () => {
    const m = member({ candidate: A });
    m.start();
    m.votes('precommit', 0, null, [0, 1]);
    expect(m.state.view).toBe(0);
    m.late('precommit', 0);
    expect(m.state.view).toBe(1);
    expect(m.timers).toContain('propose 1');
    m.late('precommit', 0);
    expect(m.state.view).toBe(1);
  });

  test('the last view has no next one', () => {
    const m = member();
    m.state.view = VIEW_MAX;
    m.state.step = 'precommit';
    m.votes('precommit', VIEW_MAX, null, [0, 1, 2]);
    m.late('precommit', VIEW_MAX);
    expect(m.state.view).toBe(VIEW_MAX);
  });
});

describe('time is asked for when a quorum has spoken, once', () => {
  test('on prevotes of any kind, while prevoting', () => {
    const m = member();
    m.propose(0, A);
    m.votes('prevote', 0, B, [0, 1]);
    expect(m.timers).toEqual(['propose 0']);
    m.votes('prevote', 0, null, [2, 3]);
    expect(m.timers).toEqual(['propose 0', 'prevote 0']);
  });

  test('on precommits, in any step', () => {
    const m = member({ candidate: A });
    m.start();
    m.votes('precommit', 0, A, [0, 1]);
    m.votes('precommit', 0, B, [2]);
    expect(m.timers).toEqual(['propose 0', 'precommit 0']);
    m.votes('precommit', 0, B, [0]);
    expect(m.timers).toEqual(['propose 0', 'precommit 0']);
  });
});

describe('what a liar can make it hold', () => {
  test('two values of a voter count in a view, no third; strangers none', () => {
    const m = member();
    for (const value of [A, B, C]) m.votes('prevote', 0, value, [2]);
    m.votes('prevote', 0, A, [4]);
    const tally = m.state.tallies.get('prevote/0')!;
    expect([...tally.votes.keys()]).toEqual([hashOfValue(A), hashOfValue(B)]);
    expect([...tally.voters]).toEqual([2]);
  });

  test('one member alone does not carry it to a later view, two carry it to the latest', () => {
    const m = member({ candidate: A });
    m.start();
    m.votes('prevote', 9, null, [1]);
    m.votes('precommit', 9, null, [1]);
    expect(m.state.view).toBe(0);
    m.votes('precommit', 4, null, [1]);
    m.votes('prevote', 4, null, [2]);
    expect(m.state.view).toBe(4);
    m.votes('precommit', 9, null, [0]);
    expect(m.state.view).toBe(9);
    m.votes('precommit', 5, null, [0, 1]);
    expect(m.state.view).toBe(9);
  });
});
