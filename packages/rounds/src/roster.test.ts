import { compareText, type PeerId } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { type Envelope, sealEnvelope } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { proposerOf } from './joins.ts';
import { EnginePeer, exchange } from './testing/engine-peer.ts';
import { hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(6);
const job = testJob(keys[0]!);
const keyOf = (peer: PeerId): SigningKey => keys.find(({ peerId }) => peerId === peer)!;

/** Peers that have JOINed; nobody has heard of anybody. */
function joined(count: number, ofJob = job): readonly EnginePeer[] {
  const peers = keys.slice(0, count).map((key) => new EnginePeer(ofJob, key).start());
  for (const peer of peers) peer.train();
  return peers;
}

/** A ROSTER by whoever may propose these members; `order` changes what it lists. */
function rosterOf(
  peers: readonly EnginePeer[],
  order: (joins: string[]) => readonly string[] = (joins) => joins,
): Envelope {
  const members = [...peers].sort((a, b) => compareText(a.peer, b.peer));
  const roundId = peers[0]!.roundId();
  const names = members.map(({ peer }) => peer);
  const joins = order(members.map((member) => member.sent('join')[0]!.hash));
  const context = { roundId, attempt: 0, roster: null };
  return sealEnvelope(context, { kind: 'roster', joins }, keyOf(proposerOf(roundId, 0, names)));
}

/** Somebody of `peers` who did not propose this and so has to judge it. */
const judgeOf = (peers: readonly EnginePeer[], { sender }: Envelope): EnginePeer =>
  peers.find(({ peer }) => peer !== sender)!;

describe('the inclusion rule [R-16]', () => {
  const late = 6_000;

  /** Five that have heard each other's JOINs, the last one's `delay` later; two of the others. */
  function censored(delay: number): { victim: EnginePeer; peer: EnginePeer; roster: Envelope } {
    const peers = joined(5);
    const victim = peers[4]!;
    exchange(peers.slice(0, 4));
    const roster = rosterOf(peers.slice(0, 4));
    const peer = judgeOf(peers, roster);
    peer.now = delay;
    peer.hear(...victim.sent('join'));
    peer.now = late;
    peer.hear(roster);
    return { victim, peer, roster };
  }

  test('a ROSTER that leaves out who JOINed in time is refused, unless that peer is lost', () => {
    const { victim, peer, roster } = censored(0);
    expect(peer.phase).toBe('joining');
    const refused = peer.notices('refused');
    expect(refused).toEqual([{ kind: 'refused', reason: expect.any(String), peer: roster.sender }]);
    expect(refused[0]!.reason).toContain(victim.peer);
    peer.take({ kind: 'reachable', peer: victim.peer, reachable: false });
    expect(peer.phase).toBe('session');
  });

  test('who JOINed late may be left out', () => {
    const { peer } = censored(late - 4_999);
    expect(peer.phase).toBe('session');
  });
});

describe('a ROSTER is left lying', () => {
  test('by another than the proposer of that set [R-15]', () => {
    const peers = joined(4);
    exchange(peers);
    const right = rosterOf(peers);
    const wrong = judgeOf(peers, right);
    const forged = sealEnvelope(right, right.body, keyOf(wrong.peer));
    const judge = peers.find((peer) => peer !== wrong && peer.peer !== right.sender)!;
    judge.hear(forged);
    expect(judge.phase).toBe('joining');
    judge.hear(right);
    expect(judge.phase).toBe('session');
  });

  test('without the receiver in it [R-15]', () => {
    const peers = joined(4);
    exchange(peers);
    const outsider = peers[3]!;
    outsider.hear(rosterOf(peers.slice(0, 3)));
    expect(outsider.phase).toBe('joining');
  });

  test('of fewer than the job’s least or more than its most [R-13]', () => {
    const strict = testJob(keys[0]!, { admission: { minPeers: 4, maxPeers: 4 } });
    const peers = joined(5, strict);
    exchange(peers);
    for (const members of [peers.slice(0, 2), peers.slice(0, 3), peers]) {
      const roster = rosterOf(members);
      const judge = judgeOf(members, roster);
      judge.hear(roster);
      expect(judge.phase).toBe('joining');
    }
  });

  test('with a JOIN that is not held, until it comes [R-14]', () => {
    const peers = joined(4);
    exchange(peers.slice(0, 3));
    const roster = rosterOf(peers);
    const judge = judgeOf(peers.slice(0, 3), roster);
    judge.hear(roster);
    expect(judge.phase).toBe('joining');
    judge.hear(...peers[3]!.sent('join'));
    expect(judge.phase).toBe('session');
  });

  test.each([
    ['in another order', (joins: string[]) => joins.reverse()],
    ['with one of them twice', (joins: string[]) => [joins[0]!, ...joins]],
    ['with one made up', (joins: string[]) => joins.with(1, hashNamed('made up'))],
  ])('%s [R-14]', (_, order) => {
    const peers = joined(4);
    exchange(peers);
    const roster = rosterOf(peers, order);
    const judge = judgeOf(peers, roster);
    judge.hear(roster);
    expect(judge.phase).toBe('joining');
  });
});

test('the first ROSTER of a slot counts, a second sound one changes nothing [R-12]', () => {
  const peers = joined(5);
  exchange(peers.slice(0, 4));
  const first = rosterOf(peers.slice(0, 4));
  const judge = judgeOf(peers.slice(0, 4), first);
  judge.hear(first);
  const members = judge.notices('session').map(({ roster }) => roster);
  expect(members).toEqual([
    peers
      .slice(0, 4)
      .map(({ peer }) => peer)
      .sort(compareText),
  ]);
  judge.hear(...peers[4]!.sent('join'), rosterOf(peers));
  expect(judge.phase).toBe('session');
  expect(judge.notices('session')).toHaveLength(1);
});
