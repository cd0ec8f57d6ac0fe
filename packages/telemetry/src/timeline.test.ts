import type { Notice } from '@starling/rounds';
import { expect, test } from 'vitest';
import { certified, JOB, PEERS, roundOf, tell } from './testing/run.ts';
import type { PhaseSpan, RoundSpan } from './timeline.ts';

function spansOf(notices: readonly Notice[]) {
  const rounds: RoundSpan[] = [];
  const phases: PhaseSpan[] = [];
  const onRound = (round: RoundSpan) => void rounds.push(round);
  tell([{ onRound, onPhase: (phase) => void phases.push(phase) }], notices);
  return { rounds, phases };
}

const SLOT = { restarts: 0, attempt: 0 };

test('a round has its trainings and attempts, each with its times', () => {
  const { rounds } = spansOf(roundOf(3));
  expect(rounds).toHaveLength(1);
  const [round] = rounds as [RoundSpan];
  expect(round).toMatchObject({ job: JOB, round: 3, outcome: 'certified', own: true });
  expect(round).toMatchObject({ startMs: 0, endMs: 20_000, survivors: 3 });
  expect(round.trainings).toEqual([
    { name: 'training', startMs: 0, endMs: 1_000 },
    { name: 'training', startMs: 10_000, endMs: 11_000 },
  ]);
  const [burnt, good] = round.attempts;
  expect(burnt).toMatchObject({ outcome: 'burnt', reason: 'quorum-lost', survivors: null });
  expect(burnt).toMatchObject({ slot: SLOT, startMs: 1_000, endMs: 9_000, participants: 4 });
  expect(good).toMatchObject({ outcome: 'certified', reason: null, survivors: 3 });
  expect(good?.phases.map(({ name }) => name)).toEqual([
    ...['joining', 'shares', 'chunks', 'decide', 'sums', 'unmask', 'verify', 'certify'],
  ]);
});

test('phases follow each other without a gap, and are told at once', () => {
  const { phases, rounds } = spansOf(roundOf(3).slice(0, 6));
  expect(rounds).toEqual([]);
  expect(phases).toEqual([
    { name: 'training', startMs: 0, endMs: 1_000 },
    { name: 'joining', startMs: 1_000, endMs: 3_000 },
    { name: 'shares', startMs: 3_000, endMs: 4_000 },
    { name: 'chunks', startMs: 4_000, endMs: 5_000 },
  ]);
});

test('a certificate of others ends the round here, with the attempt left', () => {
  const { rounds } = spansOf([...roundOf(3).slice(0, 5), certified(3, false)]);
  expect(rounds[0]).toMatchObject({ outcome: 'certified', own: false });
  expect(rounds[0]?.attempts[0]).toMatchObject({ outcome: 'left', reason: null });
});

test('a new round ends one that was never certified', () => {
  const { rounds } = spansOf([
    { kind: 'training', round: 3 },
    { kind: 'training', round: 5 },
  ]);
  expect(rounds).toMatchObject([{ round: 3, outcome: 'left', endMs: 1_000 }]);
});

test('a session without a JOIN, as after a restart, is an attempt as well', () => {
  const roster = PEERS.slice(0, 3);
  const { rounds } = spansOf([
    { kind: 'session', round: 3, slot: SLOT, roster, update: 'u' },
    certified(3),
  ]);
  expect(rounds[0]?.attempts).toMatchObject([{ participants: 3, outcome: 'certified' }]);
});

test('a job that tries for days is kept in bounds', () => {
  const tries = Array.from({ length: 100 }, (_, attempt): Notice[] => {
    const slot = { restarts: 0, attempt };
    const reason = 'abandoned';
    return [
      { kind: 'joining', round: 1, slot },
      { kind: 'retry', round: 1, slot, reason, proven: true },
    ];
  });
  const { rounds } = spansOf([...tries.flat(), certified(1, false)]);
  expect(rounds[0]?.attempts).toHaveLength(32);
  expect(rounds[0]?.attempts.at(-1)?.slot.attempt).toBe(99);
});

test('of a round that is trained again and again the last trainings are kept, too', () => {
  const slot = { restarts: 0, attempt: 0 };
  const again: readonly Notice[] = [
    { kind: 'training', round: 1 },
    { kind: 'burnt', round: 1, slot, reason: 'quorum-lost', update: 'u' },
  ];
  const { rounds } = spansOf([...Array.from({ length: 100 }, () => again).flat(), certified(1)]);
  expect(rounds[0]?.trainings).toHaveLength(32);
});

test('what concerns no round makes none', () => {
  const { rounds, phases } = spansOf([certified(1), { kind: 'rolled-back', toRound: 0 }]);
  expect([rounds, phases]).toEqual([[], []]);
});
