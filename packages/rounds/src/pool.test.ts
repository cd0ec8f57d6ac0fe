import { millis, type RoundId } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { type Body, type Envelope, sealEnvelope } from '@starling/protocol-rounds';
import { encodeMessage } from '@starling/protocol-secagg';
import { expect, test } from 'vitest';
import { addAllToPool, addToPool, emptyPool, joinsOf, type Pool, pooled } from './pool.ts';
import { hashNamed, testKeys } from './testing/fixtures.ts';

const keys = testKeys(3) as [SigningKey, SigningKey, SigningKey];
const round = hashNamed('round') as string as RoundId;
const digest = new Uint8Array(32);

const roster = (name: string): Body => ({ kind: 'roster', joins: [hashNamed(name)] });
const vote = (view: number): Body => ({
  kind: 'session',
  message: encodeMessage({ kind: 'prevote', decision: 'survivors', view, value: null }),
});
const seal = (body: Body, key: SigningKey = keys[0], attempt = 0, roundId = round): Envelope =>
  sealEnvelope({ roundId, attempt, roster: body.kind === 'session' ? digest : null }, body, key);

const poolOf = (envelopes: readonly Envelope[]): Pool =>
  envelopes.reduce((pool, envelope, i) => addToPool(pool, envelope, millis(i)), emptyPool);

test('of a sender’s slot two envelopes are kept, others leave the pool as it is [R-3]', () => {
  const [first, second] = [seal(roster('first')), seal(roster('second'))];
  const pool = poolOf([first, second]);
  for (const known of [seal(roster('third')), first, second]) {
    expect(addToPool(pool, known, millis(9))).toBe(pool);
  }
  const both = [first, second].map((envelope, at) => ({ envelope, at }));
  expect([...pooled(pool)]).toEqual(both);
});

test('adding leaves the pool it was added to as it was', () => {
  const before = poolOf([seal(vote(0))]);
  const { pool, added } = addAllToPool(before, [seal(vote(1)), seal(vote(1))], millis(1));
  expect(added).toHaveLength(1);
  expect([...pooled(before)]).toHaveLength(1);
  expect([...pooled(pool)]).toHaveLength(2);
});

test('another sender, attempt, round or session slot is another slot', () => {
  const elsewhere = hashNamed('elsewhere') as string as RoundId;
  const all = [
    seal(roster('x')),
    seal(roster('x'), keys[1]),
    seal(roster('x'), keys[0], 1),
    seal(roster('x'), keys[0], 0, elsewhere),
    seal(vote(0)),
    seal(vote(1)),
  ];
  expect([...pooled(poolOf(all))]).toHaveLength(all.length);
});

test('a session message that cannot be read is not kept', () => {
  const garbage = seal({ kind: 'session', message: new Uint8Array([0xc1]) });
  expect(addToPool(emptyPool, garbage, millis(0))).toBe(emptyPool);
});

test('one sender can fill neither an attempt nor attempts without end [R-4]', () => {
  const attempts = Array.from({ length: 40 }, (_, i) => seal(roster('x'), keys[0], i));
  const kept = [...pooled(poolOf(attempts))].map(({ envelope }) => envelope.attempt);
  expect(kept).toEqual(Array.from({ length: 32 }, (_, i) => 8 + i));
  const honest = seal(roster('x'), keys[1]);
  expect([...pooled(poolOf([...attempts, honest]))]).toHaveLength(33);

  const decisions = ['mask-set', 'survivors'] as const;
  const flood = decisions.flatMap((decision) =>
    (['prevote', 'precommit'] as const).flatMap((kind) =>
      Array.from({ length: 100 }, (_, view) => {
        const message = encodeMessage({ kind, decision, view, value: null });
        return seal({ kind: 'session', message });
      }),
    ),
  );
  expect([...pooled(poolOf(flood))]).toHaveLength(256);
});

test('JOINs are found by attempt', () => {
  const join: Body = {
    kind: 'join',
    round: 1,
    restarts: 0,
    parent: hashNamed('parent') as never,
    stateHash: hashNamed('state'),
    hello: new Uint8Array(0),
    beacon: new Uint8Array(32),
    weight: 1,
  };
  const [a, b] = [seal(join), seal(join, keys[1], 10)] as const;
  const pool = poolOf([a, b, seal(roster('x'), keys[2])]);
  // Attempt 1 is not attempt 10, though its key begins alike.
  expect(joinsOf(pool, round, 1).size).toBe(0);
  expect([...joinsOf(pool, round, 0).keys()]).toEqual([keys[0].peerId]);
  expect(joinsOf(pool, round, 10).get(keys[1].peerId)?.envelope).toBe(b);
});
