import { compareText, decodeCanonical, fromHex, toHex } from '@starling/core';
import { hashHex, type SigningKey } from '@starling/crypto';
import { type BodyOf, type Envelope, sealEnvelope } from '@starling/protocol-rounds';
import { helloCodec } from '@starling/protocol-secagg';
import { describe, expect, test } from 'vitest';
import { chooseMembers } from './joining.ts';
import { isJoinCurrent, joinsInSlot, proposerOf } from './joins.ts';
import { EnginePeer } from './testing/engine-peer.ts';
import { certificateAfter, hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(6);
const job = testJob(keys[0]!);
const [own, ...others] = keys as [SigningKey, ...SigningKey[]];

/** One that JOINed attempt 0 of the first round, or of the second after a roster of five. */
function joinedPeer(rounds = 0): EnginePeer {
  const peer = new EnginePeer(job, own).start();
  if (rounds > 0) {
    const certificate = certificateAfter([], { job, roster: keys.slice(0, 5) });
    peer.take({ kind: 'chain', from: others[0]!.peerId, certificates: [certificate] });
    peer.take({ kind: 'state-fetched', stateHash: certificate.statement.stateHash });
  }
  peer.train();
  return peer;
}

interface JoinChanges extends Partial<BodyOf<'join'>> {
  readonly attempt?: number;
  readonly roundId?: Envelope['roundId'];
}

/** The JOIN that `peer` sent, as `key` would send it, but for the changes. */
function joinBy(peer: EnginePeer, key: SigningKey, changes: JoinChanges = {}): Envelope {
  const { attempt = 0, roundId, ...fields } = changes;
  const { body } = peer.sent('join')[0]!;
  const restarts = fields.restarts ?? 0;
  const context = { roundId: roundId ?? peer.roundId(restarts), attempt, roster: null };
  return sealEnvelope(context, { ...(body as BodyOf<'join'>), ...fields }, key);
}

describe('a JOIN counts only [R-6]', () => {
  const peer = joinedPeer();
  const count = (changes: JoinChanges) => isJoinCurrent(peer.state, joinBy(peer, own, changes));
  const other = hashNamed('other');
  const cases: readonly [rule: string, good: JoinChanges, bad: JoinChanges][] = [
    ['of this round', { round: 1 }, { round: 2 }],
    ['after this parent', {}, { parent: other as never }],
    ['from this state', {}, { stateHash: other }],
    ['under this round id', {}, { roundId: other as never }],
    ['under the round id of its restarts', { restarts: 1 }, { roundId: peer.roundId(1) }],
    ['with a hello that decodes', {}, { hello: new Uint8Array(10) }],
    ['at most 16 restarts ahead', { restarts: 16 }, { restarts: 17 }],
    ['at most 64 attempts ahead', { attempt: 64 }, { attempt: 65 }],
  ];
  test.each(cases)('%s', (_, good, bad) => {
    expect(count(good)).toBe(true);
    expect(count(bad)).toBe(false);
    const held = peer.state.pool.size;
    peer.hear(joinBy(peer, others[0]!, bad));
    expect(peer.state.pool.size).toBe(held);
  });
});

test('keys are fresh for every attempt and every update [R-7] [S-2]', () => {
  const peer = joinedPeer();
  peer.hear(...others.slice(0, 2).map((key) => joinBy(peer, key, { attempt: 1 })));
  peer.take({ kind: 'participate', on: false });
  peer.take({ kind: 'participate', on: true });
  peer.train();
  const hellos = peer.sent('join').map(({ body }) => {
    return decodeCanonical(helloCodec, (body as BodyOf<'join'>).hello, 256);
  });
  expect(hellos.length).toBeGreaterThanOrEqual(3);
  const all = hellos.flatMap(({ encryptionKey, maskKey }) => [encryptionKey, maskKey]);
  expect(new Set(all.map(toHex)).size).toBe(all.length);
});

describe('a peer follows others to a slot [R-9]', () => {
  const slotOf = (peer: EnginePeer) => peer.state.slot;
  const follow = (rounds: number, attempt: number, count: number, restarts = 0) => {
    const peer = joinedPeer(rounds);
    for (const key of others.slice(0, count)) peer.hear(joinBy(peer, key, { attempt, restarts }));
    return slotOf(peer);
  };

  test('f + 1 of the last roster’s size at least', () => {
    expect(follow(1, 1, 1)).toEqual({ restarts: 0, attempt: 0 });
    expect(follow(1, 1, 2)).toEqual({ restarts: 0, attempt: 1 });
  });

  test('two when it is far, though f is 0', () => {
    expect(follow(0, 2, 1)).toEqual({ restarts: 0, attempt: 2 });
    expect(follow(0, 3, 1)).toEqual({ restarts: 0, attempt: 0 });
    expect(follow(0, 3, 2)).toEqual({ restarts: 0, attempt: 3 });
    expect(follow(0, 0, 1, 2)).toEqual({ restarts: 0, attempt: 0 });
    expect(follow(0, 0, 2, 2)).toEqual({ restarts: 2, attempt: 0 });
  });

  test('not back to one that it gave up', () => {
    const peer = joinedPeer();
    // Two with whom the turn to propose is not the peer's own.
    const pairs = others.flatMap((key, i) => others.slice(i + 1).map((next) => [key, next]));
    const two = pairs.find((keys) => {
      const members = [peer.peer, ...keys.map(({ peerId }) => peerId)];
      return proposerOf(peer.roundId(), 1, members) !== peer.peer;
    })!;
    for (const key of two) peer.hear(joinBy(peer, key, { attempt: 1 }));
    expect(slotOf(peer)).toEqual({ restarts: 0, attempt: 1 });
    peer.fire('window/0/1');
    peer.fire('roster/0/1');
    expect(slotOf(peer)).toEqual({ restarts: 0, attempt: 2 });
    for (const key of others) peer.hear(joinBy(peer, key, { attempt: 1 }));
    expect(slotOf(peer)).toEqual({ restarts: 0, attempt: 2 });
  });
});

test('of more JOINs than fit, those of lowest H(parent ‖ JOIN hash) are taken [R-11]', () => {
  const small = testJob(keys[0]!, { admission: { minPeers: 3, maxPeers: 3 } });
  const peers = keys.map((key) => new EnginePeer(small, key).start());
  for (const peer of peers) peer.train();
  const [judge] = peers as [EnginePeer];
  judge.hear(...peers.slice(1).flatMap((peer) => peer.sent('join')));
  const joins = joinsInSlot(judge.state, { restarts: 0, attempt: 0 });
  expect(joins.size).toBe(keys.length);
  const rank = (peer: EnginePeer) =>
    hashHex(fromHex(small.id), fromHex(peer.sent('join')[0]!.hash));
  const lowest = [...peers].sort((a, b) => compareText(rank(a), rank(b))).slice(0, 3);
  const wanted = lowest.map(({ peer }) => peer).sort(compareText);
  expect(chooseMembers(judge.state, joins)).toEqual(wanted);
});
