import { encodeCanonical, type PeerId, utf8 } from '@starling/core';
import { type SigningKey, sha256, signingKeyFromSeed } from '@starling/crypto';
import {
  type Body,
  type Envelope,
  type Evidence,
  evidenceCodec,
  sealEnvelope,
} from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { isBanned, parseBan } from './bans.ts';
import { EnginePeer, exchange } from './testing/engine-peer.ts';
import { testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(5);
const job = testJob(keys[0]!);
const liar = keys[4]!;

function joined(): readonly EnginePeer[] {
  const peers = keys.map((key) => new EnginePeer(job, key).start());
  for (const peer of peers) peer.train();
  return peers;
}

/** The liar's JOIN, and another that contradicts it. */
function twoJoins(peers: readonly EnginePeer[]): readonly [Envelope, Envelope] {
  const [join] = peers[4]!.sent('join');
  const body: Body = { ...join!.body, kind: 'join', weight: 2 } as Body;
  const { roundId, attempt } = join!;
  return [join!, sealEnvelope({ roundId, attempt, roster: null }, body, liar)];
}

const evidenceOf = (peer: EnginePeer): Uint8Array => peer.state.bans.get(liar.peerId)!.evidence!;
const evidenceSent = (peer: EnginePeer): readonly Uint8Array[] =>
  peer.of('gossip').flatMap(({ message }) => (message.kind === 'evidence' ? [message.bytes] : []));
const pairOf = ([first, second]: readonly [Envelope, Envelope]): Extract<
  Evidence,
  { kind: 'equivocation' }
> => ({
  ...{ kind: 'equivocation', round: 1, restarts: 0 },
  ...{ first: first.bytes, second: second.bytes },
});
const encoded = (evidence: Evidence) => encodeCanonical(evidenceCodec, evidence);

describe('two envelopes in one slot', () => {
  test('ban their sender, and convince a peer that was not there [R-34]', () => {
    const peers = joined();
    const [witness, absent] = peers as [EnginePeer, EnginePeer];
    witness.hear(...twoJoins(peers));
    const until = 101;
    expect(witness.notices('banned')).toEqual([
      { kind: 'banned', peer: liar.peerId, reason: 'equivocation', until },
    ]);
    absent.take({ kind: 'evidence', bytes: evidenceOf(witness) });
    expect(isBanned(absent.state, liar.peerId)).toBe(true);
    // All of them have the two envelopes or will: nobody shouts before it matters.
    expect([...evidenceSent(witness), ...evidenceSent(absent)]).toEqual([]);
  });

  test('are remembered after a restart, and not for ever', () => {
    const peers = joined();
    peers[0]!.hear(...twoJoins(peers));
    const [record] = peers[0]!.of('journal').filter(({ key }) => key.startsWith('ban/'));
    expect(record?.key).toBe(`ban/${liar.peerId}`);
    const ban = parseBan(record!.value);
    expect(ban).toEqual(peers[0]!.state.bans.get(liar.peerId));
    const again = new EnginePeer(job, keys[0]!);
    again.take({ kind: 'start', certificates: [], joined: [], bans: [[liar.peerId, ban]] });
    expect(isBanned(again.state, liar.peerId)).toBe(true);
    const over = new EnginePeer(job, keys[0]!);
    const old = [[liar.peerId, { ...ban, until: 1 }]] as const;
    over.take({ kind: 'start', certificates: [], joined: [], bans: old });
    expect(isBanned(over.state, liar.peerId)).toBe(false);
  });

  test('the roster is made without their sender, and all agree on it', () => {
    const peers = joined();
    const honest = peers.slice(0, 4);
    honest[0]!.hear(...twoJoins(peers));
    exchange(peers);
    const bytes = evidenceOf(honest[0]!);
    for (const peer of honest) peer.take({ kind: 'evidence', bytes });
    for (const peer of honest) peer.fire('window');
    exchange(honest);
    // The proposer says why: others may have missed one of the two.
    expect(honest.flatMap(evidenceSent)).toEqual([bytes]);
    for (const { state } of honest) {
      if (state.phase.name !== 'session') throw new Error(`in ${state.phase.name}`);
      expect(state.phase.session.roster).not.toContain(liar.peerId);
      expect(state.phase.session.roster).toHaveLength(4);
    }
  });

  test('a ROSTER with their sender is refused by who told or was told before the attempt [R-35]', () => {
    const peers = joined();
    exchange(peers);
    const bytes = encoded(pairOf(twoJoins(peers)));
    for (const peer of peers) peer.fire('window');
    const proposer = peers.find((peer) => peer.sent('roster').length > 0)!;
    const judgeKey = keys.find((key) => key !== liar && key.peerId !== proposer.peer)!;
    const judge = new EnginePeer(job, judgeKey).start();
    judge.take({ kind: 'evidence', bytes });
    judge.train();
    judge.hear(...peers.flatMap((peer) => peer.sent('join')), ...proposer.sent('roster'));
    expect(judge.phase).toBe('joining');
    expect(judge.notices('refused')).toHaveLength(1);
    expect(evidenceSent(judge)).toEqual([bytes]);
  });

  test('found during the attempt by this peer alone, they do not part it from the roster', () => {
    const peers = joined();
    exchange(peers);
    for (const peer of peers) peer.fire('window');
    const proposer = peers.find((peer) => peer.sent('roster').length > 0)!;
    const witness = peers.find((peer) => peer !== proposer && peer !== peers[4])!;
    witness.hear(...twoJoins(peers));
    witness.hear(...proposer.sent('roster'));
    expect(witness.phase).toBe('session');
    expect(isBanned(witness.state, liar.peerId)).toBe(true);
    // Now all are told: the next attempt must do without the liar.
    expect(evidenceSent(witness)).toEqual([evidenceOf(witness)]);
  });
});

describe('what convinces nobody [R-36]', () => {
  const peers = joined();
  const [first, second] = twoJoins(peers);
  const other = sealEnvelope(
    { roundId: first.roundId, attempt: 1, roster: null },
    second.body,
    liar,
  );
  const stranger = signingKeyFromSeed(sha256(utf8('stranger')));
  const byStranger = sealEnvelope(
    { roundId: first.roundId, attempt: 0, roster: null },
    second.body,
    stranger,
  );
  const spoilt = second.bytes.slice();
  spoilt[spoilt.length - 1]! ^= 1;

  test.each<readonly [string, Uint8Array]>([
    ['the same envelope twice', encoded(pairOf([first, first]))],
    ['two attempts', encoded(pairOf([first, other]))],
    ['two senders', encoded(pairOf([first, byStranger]))],
    ['a broken signature', encoded({ ...pairOf([first, second]), second: spoilt })],
    ['another round', encoded({ ...pairOf([first, second]), round: 2 })],
    ['another restart', encoded({ ...pairOf([first, second]), restarts: 1 })],
    ['no evidence at all', utf8('no evidence')],
    ['no accusation', encoded({ kind: 'testimony', round: 1, restarts: 0, accusations: [] })],
  ])('%s', (_, bytes) => {
    const judge = new EnginePeer(job, keys[1]!).start();
    judge.take({ kind: 'evidence', bytes });
    expect(judge.state.bans.size).toBe(0);
  });
});

describe('accusations', () => {
  /** Five peers in one session. */
  function inSession(): readonly EnginePeer[] {
    const peers = joined();
    exchange(peers);
    for (const peer of peers) peer.fire('window');
    exchange(peers);
    expect(peers.map(({ phase }) => phase)).toEqual(peers.map(() => 'session'));
    return peers;
  }

  function accusation(peers: readonly EnginePeer[], by: SigningKey, of: PeerId): Envelope {
    const { phase } = peers[0]!.state;
    if (phase.name !== 'session') throw new Error('no session');
    const { roster, roundId, slot, digest } = phase.session;
    const body: Body = { kind: 'accuse', member: roster.indexOf(of), reason: 'wrong-tag' };
    return sealEnvelope({ roundId, attempt: slot.attempt, roster: digest }, body, by);
  }

  test('by more than f of the roster ban, and no fewer [R-37]', () => {
    const peers = inSession();
    const [judge] = peers as [EnginePeer];
    const from = keys.filter(({ peerId }) => peerId !== judge.peer && peerId !== liar.peerId);
    judge.hear(accusation(peers, from[0]!, liar.peerId));
    // The same voice twice, and one from outside, are no more.
    judge.hear(accusation(peers, from[0]!, liar.peerId));
    judge.hear(accusation(peers, signingKeyFromSeed(sha256(utf8('outside'))), liar.peerId));
    expect(isBanned(judge.state, liar.peerId)).toBe(false);
    judge.hear(accusation(peers, from[1]!, liar.peerId));
    expect(isBanned(judge.state, liar.peerId)).toBe(true);
    const absent = peers[1]!;
    absent.take({ kind: 'evidence', bytes: evidenceOf(judge) });
    expect(isBanned(absent.state, liar.peerId)).toBe(true);
    // Who knows no roster of this attempt cannot tell who may testify.
    const newcomer = new EnginePeer(job, keys[1]!).start();
    newcomer.take({ kind: 'evidence', bytes: evidenceOf(judge) });
    expect(newcomer.state.bans.size).toBe(0);
  });
});
