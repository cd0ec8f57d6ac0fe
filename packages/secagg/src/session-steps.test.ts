import { fromHex } from '@starling/core';
import { merkleRoot, sha256 } from '@starling/crypto';
import type { MessageOf, SecaggMessage } from '@starling/protocol-secagg';
import { expect, test } from 'vitest';
import { toBitmap } from './bitmap.ts';
import { hashOfValue } from './decide.ts';
import { step } from './session.ts';
import { createSession, digestOf, proposersOf, type SessionState } from './state.ts';
import { cellConfigs, runCell } from './testing/cell.ts';
import { sent } from './testing/checks.ts';

/** Single steps of one member in a cell of four, whose messages come from a real run. */
const OPTIONS = { members: 4, seed: 31 };
const configs = cellConfigs(OPTIONS);
const real = sent(runCell(OPTIONS).deeds);
const proposer = proposersOf(configs[0]!.rosterDigest, 4, 'mask-set')[0]!;
/** Not the proposer, so that it votes on what others propose. */
const SELF = proposer === 0 ? 1 : 0;
const OTHERS = [0, 1, 2, 3].filter((member) => member !== SELF);

const bundleOf = (member: number) =>
  real.find(([from, { kind }]) => from === member && kind === 'keyshare')![1];

function hear(state: SessionState, ...said: readonly (readonly [number, SecaggMessage])[]) {
  const messages = said.map(([from, message]) => ({ from, message }));
  return step(state, { kind: 'messages', messages });
}
const started = () => step(createSession(configs[SELF]!), { kind: 'start' }).state;
const bundles = OTHERS.map((member) => [member, bundleOf(member)] as const);

function proposalOf(members: readonly number[]): MessageOf<'propose'> {
  const bound = members.map((member) => digestOf(bundleOf(member)));
  const value = { kind: 'set', members: toBitmap(members, 4), bound } as const;
  return { kind: 'propose', decision: 'mask-set', view: 0, validView: null, value };
}
const votes = (effects: ReturnType<typeof step>['effects']) =>
  effects.filter((effect) => effect.kind === 'broadcast' && effect.message.kind === 'prevote');

test('a V that is too small or whose bundles are not held is not vouched for [S-7]', () => {
  const small = [SELF, OTHERS[0]!].sort();
  const tooSmall = hear(started(), bundles[0]!, [proposer, proposalOf(small)]);
  expect(votes(tooSmall.effects)).toEqual([]);
  const all = proposalOf([0, 1, 2, 3]);
  const unheld = hear(started(), ...bundles.slice(0, 2), [proposer, all]);
  expect(votes(unheld.effects)).toEqual([]);
  expect(votes(hear(unheld.state, bundles[2]!).effects)).toHaveLength(1);
});

test('who learns V before its bundles waits for them [S-8]', () => {
  const proposal = proposalOf([0, 1, 2, 3]);
  const value = fromHex(hashOfValue(proposal.value));
  const precommits = OTHERS.map((from) => {
    return [from, { kind: 'precommit', decision: 'mask-set', view: 0, value }] as const;
  });
  const some = bundles.slice(0, 2);
  const { state } = hear(started(), ...some, [proposer, proposal], ...precommits);
  expect(state.maskSet.decision).toEqual(proposal.value);
  expect(state.phase).toBe('shares');
  expect(hear(state, bundles[2]!).state.phase).toBe('chunks');
});

test('a chunk whose path does not lead to the COMMIT is not kept [S-11]', () => {
  const proposal = proposalOf([0, 1, 2, 3]);
  const value = fromHex(hashOfValue(proposal.value));
  const precommits = OTHERS.map((from) => {
    return [from, { kind: 'precommit', decision: 'mask-set', view: 0, value }] as const;
  });
  const masking = hear(started(), ...bundles, [proposer, proposal], ...precommits).state;
  expect(masking.placement.length).toBeGreaterThan(2);
  const [hash, from] = [sha256(new Uint8Array(3)), OTHERS[0]!];
  const event = { kind: 'chunk-received', from, chunk: 0, hash, proof: [hash] } as const;
  const arrived = step(masking, event).state;
  expect(arrived.chunks.has(`0/${from}`)).toBe(true);
  const commit = { kind: 'commit', root: merkleRoot([hash, hash]) } as const;
  expect(hear(arrived, [from, commit]).state.chunks.has(`0/${from}`)).toBe(false);
});

test('nobody reveals before every chunk has a sum and U is in the journal [S-13]', () => {
  for (const seed of [1, 2, 3]) {
    const { deeds, members } = runCell({ members: 5, seed, length: 80 });
    const named = new Set<number>();
    const journalled = new Set<number>();
    for (const { member, effect } of deeds) {
      if (effect.kind === 'journal' && effect.record.kind === 'reveal') journalled.add(member);
      if (effect.kind !== 'broadcast') continue;
      const { message } = effect;
      if (message.kind === 'sums') for (const { chunk } of message.sums) named.add(chunk);
      if (message.kind !== 'unmask' && message.kind !== 'shares') continue;
      expect(named.size).toBe(members[0]!.state.placement.length);
      expect(journalled.has(member)).toBe(true);
    }
    expect(journalled.size).toBe(5);
  }
});
