import type { MessageOf, SecaggMessage } from '@starling/protocol-secagg';
import { describe, expect, test } from 'vitest';
import { toBitmap } from './bitmap.ts';
import { isOwnerLost, placeChunks } from './owners.ts';
import { type CellOptions, type CellRun, runCell } from './testing/cell.ts';
import { endedIn, sent, violations } from './testing/checks.ts';
import { flipped, lie } from './testing/lies.ts';

/** Who was convicted of what by the members other than `liar`. */
function convictions(run: CellRun, liar: number): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { member, effect } of run.deeds) {
    if (effect.kind !== 'convict' || member === liar) continue;
    found.add(`${effect.member}: ${effect.conviction.reason}`);
  }
  return found;
}

function expectRightSum(run: CellRun, liars: readonly number[]): void {
  expect(violations(run)).toEqual([]);
  const honest = endedIn(run, 'sum').filter(({ index }) => !liars.includes(index));
  const alive = run.members.filter(({ index, alive }) => alive && !liars.includes(index));
  expect(honest.map(({ index }) => index)).toEqual(alive.map(({ index }) => index));
}

describe('verified sums', () => {
  test('an owner that adds wrongly is convicted by everybody, and the sum is right [S-17]', () => {
    for (const replication of [1, 2, 3]) {
      for (const seed of [1, 2, 3, 4]) {
        const run = runCell({ members: 5, seed, length: 80, replication, lyingOwners: [2] });
        expectRightSum(run, [2]);
        for (const each of convictions(run, 2)) expect(each).toBe('2: wrong-sum');
      }
    }
    const run = runCell({ members: 5, seed: 1, length: 80, replication: 1, lyingOwners: [2] });
    expect([...convictions(run, 2)]).toEqual(['2: wrong-sum']);
  });

  test('owners that lie together, all of a chunk, are convicted too [S-18]', () => {
    const run = runCell({ members: 7, seed: 5, length: 160, replication: 2, lyingOwners: [1, 2] });
    expectRightSum(run, [1, 2]);
    expect([...convictions(run, 1)].every((each) => each.endsWith('wrong-sum'))).toBe(true);
  });

  test('a member that lies in its tags is convicted, and costs nothing', () => {
    const tamper = lie(1, 'tags', (m) => ({ ...m, tags: m.tags.map(flipped) }));
    const run = runCell({ members: 5, seed: 6, length: 80, tamper });
    expectRightSum(run, [1]);
    expect([...convictions(run, 1)]).toEqual(['1: wrong-tag']);
  });

  test('tags of those who die after their reveal come from auditors', () => {
    const crashes = [{ member: 1, phase: 'verify', count: 0 }] as const;
    for (const hints of [true, false]) {
      const run = runCell({ members: 7, seed: 7, length: 80, crashes, hints });
      expectRightSum(run, []);
      expect(sent(run.deeds).some(([, { kind }]) => kind === 'audit')).toBe(true);
    }
  });

  test('an auditor that lies is convicted, and the sum is right', () => {
    const tamper: CellOptions['tamper'] = (from, message) => {
      if (from === 1 && message.kind === 'tags') return undefined;
      if (from !== 2 || message.kind !== 'audit') return message;
      return { ...message, items: message.items.map((i) => ({ ...i, tag: flipped(i.tag) })) };
    };
    let lied = 0;
    for (const seed of [8, 9, 10, 11, 12]) {
      const run = runCell({ members: 7, seed, length: 80, tamper });
      expectRightSum(run, [1, 2]);
      if (!sent(run.deeds).some(([from, { kind }]) => from === 2 && kind === 'audit')) continue;
      lied += 1;
      expect([...convictions(run, 2)]).toEqual(['2: wrong-audit']);
    }
    expect(lied).toBeGreaterThan(0);
  });

  test('a lying owner and a contributor that covers it are both convicted', () => {
    // The contributor's tag is off, too, so that nobody can tell from tags alone who lied.
    const tamper = lie(3, 'tags', (m) => ({ ...m, tags: m.tags.map(flipped) }));
    const run = runCell({
      members: 7,
      seed: 13,
      length: 80,
      replication: 1,
      lyingOwners: [2],
      tamper,
    });
    expectRightSum(run, [2, 3]);
    expect([...convictions(run, 2)].sort()).toEqual(['2: wrong-sum', '3: wrong-tag']);
  });
});

describe('shared unmasking', () => {
  const CELL = { members: 7, length: 160, unmasking: 'shared' } as const;
  /** f + 1 of seven. */
  const DRAWN = 3;

  /** Members that named a plain sum of a chunk. */
  function openers(run: CellRun): ReadonlyMap<number, ReadonlySet<number>> {
    const found = new Map<number, Set<number>>();
    for (const [from, message] of sent(run.deeds)) {
      if (message.kind !== 'plain-sums') continue;
      for (const { chunk } of message.sums) {
        found.set(chunk, (found.get(chunk) ?? new Set()).add(from));
      }
    }
    return found;
  }

  test('f + 1 drawn members open a chunk for all, others each', () => {
    const drawn = new Set<string>();
    for (const seed of [1, 2, 3, 4]) {
      const run = runCell({ ...CELL, seed });
      expectRightSum(run, []);
      const found = openers(run);
      expect(found.size).toBe(run.members[0]!.state.placement.length);
      for (const members of found.values()) {
        expect(members.size).toBe(DRAWN);
        drawn.add([...members].sort().join());
      }
    }
    expect(drawn.size).toBeGreaterThan(10);
  });

  test('another plain sum than the right one convicts, and is not believed [S-28]', () => {
    for (const seed of [1, 2, 3, 4]) {
      const forge = (m: MessageOf<'plain-sums'>) => ({
        ...m,
        sums: m.sums.map(({ chunk, hash }) => ({ chunk, hash: flipped(hash) })),
      });
      const liars = [1, 4];
      const tamper: CellOptions['tamper'] = (from, message) =>
        liars.includes(from) && message.kind === 'plain-sums' ? forge(message) : message;
      const run = runCell({ ...CELL, seed, tamper });
      expectRightSum(run, liars);
      expect([...convictions(run, 1)].sort()).toEqual(['1: wrong-plain-sum', '4: wrong-plain-sum']);
    }
  });

  test('those drawn who are silent, gone or serve nothing are replaced', () => {
    for (const seed of [1, 2, 3]) {
      const silent = runCell({ ...CELL, seed, tamper: lie(2, 'plain-sums', () => undefined) });
      expectRightSum(silent, [2]);
      for (const hints of [true, false]) {
        const crashes = [{ member: 2, phase: 'verify', count: seed }] as const;
        expectRightSum(runCell({ ...CELL, seed, crashes, hints }), []);
      }
      expectRightSum(runCell({ ...CELL, seed, mute: [2, 5] }), []);
    }
  });

  test('a wrong sum is found by those drawn, and its owner convicted by them', () => {
    const run = runCell({ ...CELL, seed: 3, replication: 1, lyingOwners: [2] });
    expectRightSum(run, [2]);
    expect([...convictions(run, 2)]).toEqual(['2: wrong-sum']);
  });

  test('light members are drawn last', () => {
    const run = runCell({ ...CELL, seed: 5, light: [0, 1, 2] });
    expectRightSum(run, []);
    for (const members of openers(run).values()) {
      expect([...members].every((member) => member > 2)).toBe(true);
    }
  });
});

describe('chunks whose owners are gone', () => {
  test.each(['chunks', 'decide', 'sums'] as const)('one owner that dies in %s', (phase) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const crashes = [{ member: 1, phase, count: seed }] as const;
      const options = { members: 7, seed, length: 160, replication: 1, crashes, hints: true };
      const run = runCell(options);
      expect(violations(run)).toEqual([]);
      for (const { alive, state } of run.members) {
        if (alive) expect(['sum', 'retry', 'burnt']).toContain(state.outcome?.kind);
      }
      // Its own vector may be lost with it; the attempt is not, while all others still have theirs.
      const survivors = endedIn(run, 'sum')[0]?.outcome.survivors ?? [];
      if (!survivors.includes(1)) expectRightSum(run, []);
    }
  });

  test('an owner that takes chunks and says nothing is passed over', () => {
    const tamper = lie(1, 'receipt', () => undefined);
    const run = runCell({ members: 7, seed: 6, length: 160, replication: 1, tamper });
    expectRightSum(run, [1]);
    expect(endedIn(run, 'sum')[0]!.outcome.survivors).toHaveLength(7);
  });

  test('an owner that receipts and then keeps its sums is passed over', () => {
    const tamper = lie(1, 'sums', () => undefined);
    const run = runCell({ members: 7, seed: 7, length: 160, replication: 1, tamper });
    expectRightSum(run, [1]);
  });
});

/** Another message of the same kind, as sound as the first. */
const twice =
  (liar: number, kind: SecaggMessage['kind']): NonNullable<CellOptions['second']> =>
  (from, message) => {
    if (from !== liar || message.kind !== kind) return undefined;
    if (message.kind === 'keyshare') {
      return { ...message, selfMaskCommitment: flipped(message.selfMaskCommitment) };
    }
    if (message.kind === 'commit') return { ...message, root: flipped(message.root) };
    if (message.kind === 'prevote' || message.kind === 'precommit') {
      return { ...message, value: message.value === null ? new Uint8Array(32) : null };
    }
    return undefined;
  };

test('an owner that names its sums and serves nothing is passed over', () => {
  const runs = [20, 21, 22, 23].map((seed) => {
    return runCell({ members: 7, seed, length: 160, replication: 1, mute: [1] });
  });
  for (const run of runs) expectRightSum(run, [1]);
  // Unless it owned nothing in any of them.
  const complained = runs.filter(({ deeds }) => {
    return sent(deeds).some(([, { kind }]) => kind === 'complaint');
  });
  expect(complained.length).toBeGreaterThan(0);
});

describe('equivocation', () => {
  test('two bundles of one dealer: it is convicted, left out, and the rest goes on', () => {
    const run = runCell({ members: 7, seed: 9, second: twice(2, 'keyshare') });
    expectRightSum(run, [2]);
    expect([...convictions(run, 2)]).toContain('2: equivocation');
  });

  test('two COMMITs of one member: the sum is the same for all', () => {
    for (const seed of [10, 11, 12]) {
      const run = runCell({ members: 7, seed, second: twice(2, 'commit') });
      expectRightSum(run, [2]);
    }
  });

  test('two votes of one member do not stop the others', () => {
    for (const kind of ['prevote', 'precommit'] as const) {
      for (const seed of [13, 14, 15]) {
        expectRightSum(runCell({ members: 4, seed, second: twice(1, kind) }), [1]);
      }
    }
  });
});

describe('share complaints', () => {
  test('a dealer whose shares do not open for more than f holders is left out of V [S-6]', () => {
    const tamper = lie(1, 'keyshare', (m) => ({
      ...m,
      dealt: m.dealt.map((entry) => ({ ...entry, sealed: flipped(entry.sealed) })),
    }));
    const run = runCell({ members: 7, seed: 16, tamper });
    expectRightSum(run, [1]);
    expect(endedIn(run, 'sum')[0]!.outcome.survivors).toEqual([0, 2, 3, 4, 5, 6]);
  });

  test('f members cannot complain an honest dealer away [S-10]', () => {
    const about = toBitmap([5], 7);
    const complaint = { kind: 'complaint', revision: 0, dealers: about, owners: about } as const;
    const extra: CellOptions['extra'] = (from, message) =>
      from < 2 && message.kind === 'keyshare' ? [complaint] : [];
    const run = runCell({ members: 7, seed: 17, extra });
    expectRightSum(run, []);
    expect(endedIn(run, 'sum')[0]!.outcome.survivors).toContain(5);
    for (const { state } of run.members.slice(2)) {
      expect(state.complaints.get('owner/5')?.size).toBe(2);
      expect(isOwnerLost(state, 5)).toBe(false);
    }
  });
});

describe('veto', () => {
  test('a member whose owner wants more survivors sends nothing, and the others go on', () => {
    const veto = (member: number) =>
      member === 2 ? { survivorsMin: 8, trusted: new Set<number>(), trustedMin: 0 } : undefined;
    const run = runCell({ members: 7, seed: 18, veto });
    expectRightSum(run, []);
    expect(endedIn(run, 'sum')[0]!.outcome.survivors).toEqual([0, 1, 3, 4, 5, 6]);
    const said = sent(run.deeds).filter(([from]) => from === 2);
    expect(said.some(([, { kind }]) => kind === 'commit' || kind === 'unmask')).toBe(false);
  });

  test('a member that trusts nobody else here sends nothing', () => {
    const veto = (member: number) =>
      member === 2 ? { survivorsMin: 3, trusted: new Set([2]), trustedMin: 2 } : undefined;
    const run = runCell({ members: 5, seed: 19, veto });
    expectRightSum(run, []);
    expect(endedIn(run, 'sum')[0]!.outcome.survivors).toEqual([0, 1, 3, 4]);
  });
});

test('owners lead in proportion to their weights', () => {
  const weights = [1, 1, 4, 2, 8];
  const { state } = runCell({ members: 5, seed: 1, weights }).members[0]!;
  const shape = { ...state.config.shape, length: 8 * 1_000 };
  const led = weights.map(() => 0);
  for (const [first] of placeChunks({ ...state, config: { ...state.config, shape } })) {
    led[first!]! += 1;
  }
  for (const [member, weight] of weights.entries()) {
    // Of 1,000 chunks; three standard deviations are at most 48.
    expect(Math.abs(led[member]! - (1_000 * weight) / 16)).toBeLessThan(48);
  }
});
