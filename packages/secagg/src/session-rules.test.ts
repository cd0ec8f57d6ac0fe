import { fromHex, toHex } from '@starling/core';
import type { MessageOf } from '@starling/protocol-secagg';
import { describe, expect, test } from 'vitest';
import { toBitmap } from './bitmap.ts';
import { step } from './session.ts';
import { createSession, type SessionState } from './state.ts';
import { type CellOptions, type CellRun, cellConfigs, runCell } from './testing/cell.ts';
import { endedIn, sent, violations } from './testing/checks.ts';
import { flipped, lie } from './testing/lies.ts';
import type { SessionEvent, SessionOutcome } from './types.ts';

const outcomes = (run: CellRun): readonly (SessionOutcome | undefined)[] =>
  run.members.map(({ state }) => state.outcome);

function expectSumOf(run: CellRun, survivors: readonly number[], ended = run.members.length) {
  expect(violations(run)).toEqual([]);
  const sums = endedIn(run, 'sum');
  expect(sums).toHaveLength(ended);
  for (const { outcome } of sums) expect(outcome.survivors).toEqual(survivors);
}

const burnt = (count: number, reason: string) =>
  Array.from({ length: count }, () => ({ kind: 'burnt', reason }));

describe('unmasking', () => {
  test('a wrong UNMASK counts as silence, and shares replace it [S-14]', () => {
    const wrong = lie(1, 'unmask', (m) => ({ ...m, selfMask: flipped(m.selfMask) }));
    const run = runCell({ members: 4, seed: 1, tamper: wrong });
    expectSumOf(run, [0, 1, 2, 3]);
    const shares = sent(run.deeds).filter(([, { kind }]) => kind === 'shares');
    expect(shares.map(([from]) => from).sort()).toEqual([0, 2, 3]);
  });

  test('a wrong edge seed in an UNMASK counts as silence too', () => {
    const wrong = lie(1, 'unmask', (m) => ({
      ...m,
      edges: m.edges.map((edge) => ({ ...edge, seed: flipped(edge.seed) })),
    }));
    const run = runCell({ members: 7, seed: 2, slow: [0], tamper: wrong });
    expectSumOf(run, [1, 2, 3, 4, 5, 6]);
  });

  const silentOne = lie(1, 'unmask', () => undefined);
  const badShareOf2 = lie(2, 'shares', (m) => ({
    ...m,
    items: m.items.map((item) => ({ ...item, share: flipped(item.share) })),
  }));
  const both: CellOptions['tamper'] = (from, message) => {
    const left = silentOne(from, message);
    return left && badShareOf2(from, left);
  };

  test('a bad share is ignored where enough good ones are there [S-15]', () => {
    expectSumOf(runCell({ members: 7, seed: 3, tamper: both }), [0, 1, 2, 3, 4, 5, 6]);
  });

  test('where too few good shares are left, nothing wrong is opened', () => {
    const run = runCell({ members: 4, seed: 4, tamper: both });
    expect(violations(run)).toEqual([]);
    // Member 1 has its own reveal, member 2 its own good share; the others have two of three.
    for (const member of [0, 3]) {
      expect(outcomes(run)[member]).toEqual({ kind: 'burnt', reason: 'quorum-lost' });
    }
  });

  test('shares that do not open what was committed to end the session', () => {
    const otherSecret = lie(1, 'keyshare', (m) => ({
      ...m,
      selfMaskCommitment: flipped(m.selfMaskCommitment),
    }));
    const run = runCell({ members: 4, seed: 5, tamper: otherSecret });
    expect(violations(run)).toEqual([]);
    const honest = outcomes(run).filter((_, member) => member !== 1);
    expect(honest).toEqual(burnt(3, 'shares-inconsistent'));
  });

  test('a dropped member that is alive is a holder of its own mask key', () => {
    // Of four, three shares are needed: of the silent one's peers none can be spared.
    const crashes = [{ member: 1, phase: 'sums', count: 0 }] as const;
    const run = runCell({ members: 4, seed: 6, slow: [0], crashes });
    expectSumOf(run, [1, 2, 3], 3);
    expect(run.members[0]!.state.outcome?.kind).toBe('sum');
  });
});

describe('edges', () => {
  test('a member whose keys are not those of its JOIN is left out: its shares do not open', () => {
    expectSumOf(runCell({ members: 4, seed: 7, wrongKeys: 2 }), [0, 1, 3]);
  });

  test('a false edge commitment costs that edge its mask, and nobody the sum [S-9]', () => {
    const wrong = lie(1, 'keyshare', (m) => ({
      ...m,
      dealt: m.dealt.map((entry, holder) =>
        holder === 2 ? { ...entry, edgeCommitment: flipped(entry.edgeCommitment) } : entry,
      ),
    }));
    expectSumOf(runCell({ members: 4, seed: 8, tamper: wrong }), [0, 1, 2, 3]);
  });
});

describe('sums', () => {
  test('a coordinate beyond the honest range ends the session [S-19]', () => {
    const inputs = (member: number, length: number) =>
      new Uint32Array(length).fill(member === 0 ? 2 ** 23 : 1);
    const run = runCell({ members: 4, seed: 10, inputs });
    expect(outcomes(run)).toEqual(burnt(4, 'sum-out-of-range'));
  });
});

describe('malformed messages are ignored', () => {
  const cases: readonly [string, CellOptions['tamper'], readonly number[]][] = [
    [
      'a bundle for too few holders',
      lie(1, 'keyshare', (m) => ({ ...m, dealt: m.dealt.slice(1) })),
      [0, 2, 3],
    ],
    [
      'a receipt whose bitmap has the wrong length',
      lie(1, 'receipt', (m) => ({ ...m, contributors: new Uint8Array(3) })),
      [0, 1, 2, 3],
    ],
    [
      'a receipt that names members who do not exist',
      lie(1, 'receipt', (m) => ({ ...m, contributors: new Uint8Array([0xff]) })),
      [0, 1, 2, 3],
    ],
    [
      'a proposal of members who do not exist',
      lie(1, 'propose', (m) => ({
        ...m,
        value: { kind: 'set', members: new Uint8Array([0xff]), bound: [] },
      })),
      [0, 1, 2, 3],
    ],
    [
      'a proposal of fewer survivors than may be opened',
      lie(1, 'propose', (m) => ({
        ...m,
        value: { kind: 'set', members: toBitmap([0, 1], 4), bound: [] },
      })),
      [0, 1, 2, 3],
    ],
  ];
  test.each(cases)('%s [S-5][S-12]', (_, tamper, survivors) => {
    for (const seed of [11, 12, 13]) {
      const run = runCell({ members: 4, seed, tamper: tamper! });
      expect(violations(run)).toEqual([]);
      const honest = endedIn(run, 'sum').filter(({ index }) => index !== 1);
      expect(honest.map(({ outcome }) => outcome.survivors)).toEqual(
        [0, 2, 3].map(() => survivors),
      );
    }
  });

  test('a message that claims to be our own [S-4]', () => {
    const [config] = cellConfigs({ members: 3, seed: 14 });
    const before = step(createSession(config!), { kind: 'start' }).state;
    const { state, effects } = step(before, {
      kind: 'messages',
      messages: [{ from: 0, message: { kind: 'abandon' } }],
    });
    expect(state.inbox).toEqual(before.inbox);
    expect(effects).toEqual([]);
  });

  test('a second message in a slot [S-3]', () => {
    const [config] = cellConfigs({ members: 3, seed: 15 });
    const commit = (fill: number): SessionEvent => ({
      kind: 'messages',
      messages: [{ from: 1, message: { kind: 'commit', root: new Uint8Array(32).fill(fill) } }],
    });
    let state: SessionState = createSession(config!);
    for (const event of [commit(1), commit(2)]) state = step(state, event).state;
    const held = state.inbox.get('commit/1') as MessageOf<'commit'>;
    expect(toHex(held.root)).toBe('01'.repeat(32));
  });
});

test('a sum that cannot be had is asked for again after a pause, not at once', () => {
  const { state } = runCell({ members: 3, seed: 16 }).members[0]!;
  const asked = [...state.done].find((what) => what.startsWith('fetch/'))!;
  const [, chunk, hash] = asked.split('/') as [string, string, string];
  const done = new Set([...state.done].filter((what) => what !== `here/${chunk}/${hash}`));
  const verified = new Map([...state.verified].filter(([held]) => held !== Number(chunk)));
  const sumTags = new Map([...state.sumTags].filter(([held]) => held !== `${chunk}/${hash}`));
  const back = { done, verified, sumTags, outcome: undefined };
  const waiting: SessionState = { ...state, ...back, phase: 'verify' };
  const event = { kind: 'sum-missing', chunk: Number(chunk), hash: fromHex(hash) } as const;
  const missing = step(waiting, event);
  const timer = `again/${asked}`;
  expect(missing.effects).toEqual([{ kind: 'set-timer', timer, afterMs: 250 }]);
  const { effects } = step(missing.state, { kind: 'timer', timer });
  expect(effects.map(({ kind }) => kind)).toEqual(['fetch-sum']);
});
