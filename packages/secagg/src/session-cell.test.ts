import { fromHex, toHex } from '@starling/core';
import { expect, test } from 'vitest';
import { hashOfValue } from './decide.ts';
import { step } from './session.ts';
import type { SessionState } from './state.ts';
import { runCell } from './testing/cell.ts';
import { endedIn } from './testing/checks.ts';

const REVEALING = ['unmask', 'shares', 'tags'];
const cell = { members: 5, seed: 3, isCell: true } as const;
const reveals = (run: ReturnType<typeof runCell>): readonly string[] =>
  run.deeds.flatMap(({ effect }) =>
    effect.kind === 'broadcast' && REVEALING.includes(effect.message.kind)
      ? [effect.message.kind]
      : [],
  );

test('a cell that nobody confirms reveals nothing, and is burnt in the end [S-26]', () => {
  const run = runCell(cell);
  expect(reveals(run)).toEqual([]);
  expect(endedIn(run, 'burnt').map(({ outcome }) => outcome.reason)).toEqual(
    run.members.map(() => 'quorum-lost'),
  );
  // All of them asked for the same confirmation.
  const asked = new Set(run.members.map(({ state }) => hashOfValue(state.survivors.decision!)));
  expect(asked.size).toBe(1);
});

test('a confirmed cell opens the sum that it opens without cells [S-26]', () => {
  const confirmed = runCell({ ...cell, confirm: ({ digest }) => digest });
  const plain = runCell({ members: 5, seed: 3 });
  expect(endedIn(confirmed, 'sum')).toHaveLength(5);
  const sums = (run: typeof plain) => run.members.map(({ host }) => [...host.result!]);
  expect(sums(confirmed)).toEqual(sums(plain));
  for (const { outcome } of endedIn(confirmed, 'sum')) expect(outcome.digest).toHaveLength(32);
});

test('a cell that is left out keeps its update, and reveals nothing [S-26]', () => {
  const run = runCell({ ...cell, confirm: () => null });
  expect(reveals(run)).toEqual([]);
  expect(endedIn(run, 'retry').map(({ outcome }) => outcome.reason)).toEqual(
    run.members.map(() => 'cell-left-out'),
  );
});

test('another U than the cell decided: burnt, and nothing revealed [S-26]', () => {
  const run = runCell({ ...cell, confirm: () => new Uint8Array(32) });
  expect(reveals(run)).toEqual([]);
  expect(endedIn(run, 'burnt').map(({ outcome }) => outcome.reason)).toEqual(
    run.members.map(() => 'cell-divided'),
  );
});

test('a confirmation before the decision counts when the decision fits it [S-26]', () => {
  const { members } = runCell(cell);
  const decided = members[0]!.state;
  const digest = fromHex(hashOfValue(decided.survivors.decision!));
  const before: SessionState = {
    ...decided,
    outcome: undefined,
    done: new Set([...decided.done].filter((mark) => mark !== 'nominated')),
    survivors: { ...decided.survivors, decision: undefined, step: 'precommit' },
  };
  const early = step(before, { kind: 'confirmed', digest }).state;
  expect(early.outcome).toBeUndefined();
  expect([...early.done]).toContain(`confirmed/${toHex(digest)}`);
  const other = step(before, { kind: 'confirmed', digest: new Uint8Array(32) }).state;
  expect(other.outcome?.kind ?? 'burnt').toBe('burnt');
});
