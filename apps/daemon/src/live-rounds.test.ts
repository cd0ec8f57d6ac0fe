import type { JobId, PeerId } from '@starling/core';
import type { Notice } from '@starling/rounds';
import { describe, expect, test } from 'vitest';
import { LiveRounds } from './live-rounds.ts';

const JOB = 'ab'.repeat(32) as JobId;
const [A, B, C] = ['a', 'b', 'c'] as PeerId[] as [PeerId, PeerId, PeerId];
const SLOT = { restarts: 0, attempt: 0 };

/** What is shown after notices, one a second. */
function after(...notices: readonly Notice[]): LiveRounds {
  const lives = new LiveRounds();
  for (const [second, notice] of notices.entries()) lives.take(JOB, notice, 1_000 * second);
  return lives;
}

const certified = (round: number) =>
  ({ kind: 'certified', certificate: { statement: { round } }, own: true }) as Notice;

const UP_TO_SUM: readonly Notice[] = [
  { kind: 'training', round: 3 },
  { kind: 'joining', round: 3, slot: SLOT },
  { kind: 'waiting', round: 3, joined: 2, needed: 3 },
  { kind: 'session', round: 3, slot: SLOT, roster: [A, B, C], update: 'u' },
  { kind: 'phase', round: 3, slot: SLOT, phase: 'shares' },
  { kind: 'phase', round: 3, slot: SLOT, phase: 'chunks' },
];

describe('a running round', () => {
  test('shows its phases with their times, and who is in it', () => {
    const live = after(...UP_TO_SUM).live(JOB);
    expect(live).toMatchObject({ round: 3, phase: 'chunks', roster: [A, B, C], joined: null });
    expect(live?.phases).toEqual([
      { phase: 'training', startedAt: 0, seconds: 1 },
      { phase: 'joining', startedAt: 1_000, seconds: 3 },
      { phase: 'shares', startedAt: 4_000, seconds: 1 },
      { phase: 'chunks', startedAt: 5_000, seconds: null },
    ]);
  });

  test('shows how many joined while peers gather', () => {
    const live = after(...UP_TO_SUM.slice(0, 3)).live(JOB);
    expect(live).toMatchObject({ phase: 'joining', joined: { joined: 2, needed: 3 } });
  });

  test('shows survivors once they are decided', () => {
    const survivors = [A, B];
    const sum: Notice = { kind: 'sum', round: 3, slot: SLOT, survivors, cells: [survivors] };
    const live = after(...UP_TO_SUM, sum).live(JOB);
    expect(live).toMatchObject({ phase: 'certify', survivors, cells: [survivors] });
  });

  test('keeps why an attempt was lost, and begins its phases anew', () => {
    const slot = { restarts: 0, attempt: 1 };
    const live = after(
      ...UP_TO_SUM,
      { kind: 'retry', round: 3, slot: SLOT, reason: 'abandoned', proven: true },
      { kind: 'joining', round: 3, slot },
    ).live(JOB);
    expect(live).toMatchObject({ phase: 'joining', attempt: 1, roster: [], survivors: null });
    expect(live?.lost).toEqual([{ ...SLOT, reason: 'abandoned' }]);
    expect(live?.phases.map(({ phase }) => phase)).toEqual(['joining']);
  });

  test('is over with its certificate, and the next one knows nothing of it', () => {
    const lives = after(...UP_TO_SUM, certified(3));
    expect(lives.live(JOB)).toBeNull();
    lives.take(JOB, { kind: 'training', round: 4 }, 99_000);
    expect(lives.live(JOB)).toMatchObject({ round: 4, roster: [], lost: [] });
  });
});

test('of a round that is tried for days, the last attempts are kept', () => {
  const lives = after(...UP_TO_SUM);
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const slot = { restarts: 0, attempt };
    const lost = { kind: 'retry', reason: 'abandoned', proven: true } as const;
    const lied = { kind: 'convicted', reason: 'wrong-sum', peer: A } as const;
    for (const each of [lost, lied]) lives.take(JOB, { ...each, round: 3, slot }, 9_000);
  }
  const { lost = [], convicted = [] } = lives.live(JOB) ?? {};
  expect([lost.length, convicted.length]).toEqual([32, 1]);
  expect(lost.at(-1)).toMatchObject({ attempt: 999 });
});

describe('the pace of a job', () => {
  test('is unknown before two rounds, then the mean of the last five', () => {
    expect(after(certified(1)).secondsPerRound(JOB)).toBeNull();
    const lives = new LiveRounds();
    for (const [i, second] of [0, 100, 102, 104, 106, 108, 110].entries()) {
      lives.take(JOB, certified(i + 1), 1_000 * second);
    }
    expect(lives.secondsPerRound(JOB)).toBe(2);
  });
});
