import { compareText, type PeerId } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { type Envelope, sealEnvelope } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { proposerOf } from './joins.ts';
import { EnginePeer, exchange, GENESIS } from './testing/engine-peer.ts';
import { certificateAfter, hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(6);
const job = testJob(keys[0]!);
const swarm = (count: number, ofJob = job): readonly EnginePeer[] =>
  keys.slice(0, count).map((key) => new EnginePeer(ofJob, key).start());
const keyOf = (peer: PeerId): SigningKey => keys.find(({ peerId }) => peerId === peer)!;

describe('an update that failed', () => {
  test('never JOINs, and is tried again later, three times in a round', () => {
    const [peer] = swarm(1) as [EnginePeer];
    for (let tries = 1; tries <= 4; tries++) {
      expect(peer.of('train')).toHaveLength(tries);
      peer.take({ kind: 'train-failed', reason: 'the update holds NaN' });
      expect(peer.phase).toBe('watching');
      if (tries < 4) peer.fire('retrain');
    }
    expect(() => peer.fire('retrain')).toThrow('no timer');
    expect(peer.notices('train-failed')).toHaveLength(4);
    expect(peer.sent('join')).toEqual([]);
    expect(peer.of('journal')).toEqual([]);
  });

  test('does not keep the peer out once training works again', () => {
    const [peer] = swarm(1) as [EnginePeer];
    peer.take({ kind: 'train-failed', reason: 'trainer-died' });
    peer.fire('retrain');
    peer.train();
    expect(peer.sent('join')).toHaveLength(1);
  });
});

describe('JOIN', () => {
  test('is in the journal before it is gossiped', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const effects = peer.train().map((effect) => effect.kind);
    expect(effects.indexOf('journal')).toBeGreaterThanOrEqual(0);
    expect(effects.indexOf('journal')).toBeLessThan(effects.indexOf('gossip'));
    expect(peer.of('journal')[0]!.key).toBe(`join/${peer.roundId()}/0/0`);
  });

  test('does not follow from training on a state that is not the present one', () => {
    const [peer] = swarm(1) as [EnginePeer];
    peer.train(hashNamed('some older state'));
    expect(peer.phase).toBe('training');
    expect(peer.sent('join')).toEqual([]);
  });

  test('goes to the next slot after a restart: the keys of the one before are gone', () => {
    const [before] = swarm(1) as [EnginePeer];
    before.train();
    const slot = { restarts: 0, attempt: 0 };
    const joined = [{ roundId: before.roundId(), slot }];
    const peer = new EnginePeer(job, keys[0]!).start(joined);
    peer.train();
    expect(peer.sent('join').map(({ attempt }) => attempt)).toEqual([1]);
    // Everybody else is where it was before its restart: it does not follow them there.
    const others = keys.slice(1, 5).map((key) => new EnginePeer(job, key).start());
    for (const other of others) other.train();
    peer.hear(...others.flatMap((other) => other.sent('join')));
    expect(peer.sent('join').map(({ attempt }) => attempt)).toEqual([1]);
    expect(peer.of('journal').map(({ key }) => key)).toEqual([`join/${peer.roundId()}/0/1`]);
  });
});

test('a slot that no message can name is not JOINed, and nothing breaks', () => {
  const roundId = new EnginePeer(job, keys[0]!).start().roundId();
  const joinsAfter = (restarts: number): readonly (readonly number[])[] => {
    const slot = { restarts, attempt: 1_000 };
    const peer = new EnginePeer(job, keys[0]!);
    peer.take({ kind: 'prepared', vectorLength: 8, stateHash: GENESIS });
    peer.start([{ roundId: restarts === 0 ? roundId : peer.roundId(restarts), slot }]);
    peer.train();
    return peer.sent('join').map(({ attempt, body }) => [
      body.kind === 'join' ? body.restarts : -1,
      attempt,
    ]);
  };
  expect(joinsAfter(0)).toEqual([[1, 0]]);
  expect(joinsAfter(1_000)).toEqual([]);
});

test('below minPeers a job waits and says so; one more JOIN and it goes on', () => {
  const four = testJob(keys[0]!, { admission: { minPeers: 4 } });
  const peers = swarm(4, four);
  for (const peer of peers) peer.train();
  exchange(peers.slice(0, 3));
  for (const peer of peers.slice(0, 3)) {
    peer.fire('window');
    expect(peer.phase).toBe('joining');
    expect(peer.notices('waiting')).toEqual([
      { kind: 'waiting', round: 1, joined: 3, needed: 4 },
    ]);
  }
  exchange(peers);
  expect(peers.map(({ phase }) => phase)).toEqual(peers.map(() => 'session'));
  const rosters = peers.map((peer) => peer.notices('session')[0]!.roster);
  expect(rosters[0]).toHaveLength(4);
  expect(new Set(rosters.map(String)).size).toBe(1);
});

test('refusing a job while it waits for others takes the update out of it', () => {
  const peers = swarm(3);
  for (const peer of peers) peer.train();
  const [peer] = peers as [EnginePeer];
  peer.take({ kind: 'participate', on: false });
  expect(peer.phase).toBe('watching');
  exchange(peers);
  for (const other of peers.slice(1)) other.fire('window');
  exchange(peers);
  expect(peer.phase).toBe('watching');
  // Back again: a fresh update, and never the slot whose keys are gone.
  peer.take({ kind: 'participate', on: true });
  peer.train();
  expect(peer.sent('join').map(({ attempt }) => attempt)).toEqual([0, 1]);
});

describe('the inclusion rule', () => {
  const late = 6_000;

  /** A ROSTER by whoever may propose these members. */
  function rosterOf(peers: readonly EnginePeer[], roundId = peers[0]!.roundId()): Envelope {
    const members = [...peers].sort((a, b) => compareText(a.peer, b.peer));
    const proposer = proposerOf(
      roundId,
      0,
      members.map(({ peer }) => peer),
    );
    const joins = members.map((member) => member.sent('join')[0]!.hash);
    const context = { roundId, attempt: 0, roster: null };
    return sealEnvelope(context, { kind: 'roster', joins }, keyOf(proposer));
  }

  /** Five that have heard each other's JOINs, the last one's `delay` later; two of the others. */
  function censored(delay: number): { victim: EnginePeer; peer: EnginePeer; roster: Envelope } {
    const peers = swarm(5);
    for (const peer of peers) peer.train();
    const victim = peers[4]!;
    exchange(peers.slice(0, 4));
    const roster = rosterOf(peers.slice(0, 4));
    const peer = peers.find((other) => other.peer !== roster.sender && other !== victim)!;
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

  test('a ROSTER by another than the proposer of that set is left lying', () => {
    const peers = swarm(4);
    for (const peer of peers) peer.train();
    exchange(peers);
    const right = rosterOf(peers);
    const wrong = peers.find(({ peer }) => peer !== right.sender)!;
    const forged = sealEnvelope(right, right.body, keyOf(wrong.peer));
    const judge = peers.find((peer) => peer !== wrong && peer.peer !== right.sender)!;
    judge.hear(forged);
    expect(judge.phase).toBe('joining');
    judge.hear(right);
    expect(judge.phase).toBe('session');
  });
});

describe('another round', () => {
  const roster = keys.slice(0, 5);
  const joinOf = (round: number, sender: SigningKey, parent = hashNamed('later')): Envelope =>
    sealEnvelope(
      { roundId: hashNamed(`round ${round}`) as never, attempt: 0, roster: null },
      {
        kind: 'join',
        round,
        restarts: 0,
        parent: parent as never,
        stateHash: hashNamed('later state'),
        hello: new Uint8Array(0),
        light: 0,
      },
      sender,
    );

  test('a JOIN of a later one makes the peer ask its sender for the chain, once', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const join = joinOf(4, keys[1]!);
    peer.hear(join, join);
    expect(peer.of('fetch-chain')).toEqual([
      { kind: 'fetch-chain', to: keys[1]!.peerId, fromRound: 1 },
    ]);
    peer.hear(joinOf(4, keys[2]!));
    expect(peer.of('fetch-chain').map(({ to }) => to)).toEqual([keys[1]!.peerId, keys[2]!.peerId]);
  });

  test('a better chain is taken over when its state is here, and stale training is dropped', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const certificate = certificateAfter([], { job, roster });
    const { stateHash } = certificate.statement;
    peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [certificate] });
    const [fetch] = peer.of('fetch-state');
    expect(fetch!.stateHash).toBe(stateHash);
    expect(new Set(fetch!.from)).toEqual(new Set(keys.slice(1, 5).map(({ peerId }) => peerId)));
    expect(peer.state.chain).toHaveLength(0);

    peer.take({ kind: 'state-fetched', stateHash: hashNamed('not asked for') });
    expect(peer.state.chain).toHaveLength(0);
    peer.take({ kind: 'state-fetched', stateHash });
    expect(peer.state.chain).toEqual([certificate]);
    expect(peer.of('store-chain')).toEqual([
      { kind: 'store-chain', from: 0, certificates: [certificate] },
    ]);
    expect(peer.of('train').at(-1)).toEqual({ kind: 'train', stateHash, round: 2 });

    peer.train(GENESIS);
    expect(peer.phase).toBe('training');
    expect(peer.sent('join')).toEqual([]);
    peer.train(stateHash);
    expect(peer.sent('join')[0]!.body).toMatchObject({ round: 2, stateHash });
  });

  test('a state that nobody gives leaves the chain as it is; the next answer is a new chance', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const certificates = [certificateAfter([], { job, roster })];
    const { stateHash } = certificates[0]!.statement;
    const from = keys[1]!.peerId;
    peer.take({ kind: 'chain', from, certificates });
    peer.take({ kind: 'state-missing', stateHash });
    peer.take({ kind: 'state-fetched', stateHash });
    expect(peer.state.chain).toEqual([]);
    peer.take({ kind: 'chain', from, certificates });
    peer.take({ kind: 'state-fetched', stateHash });
    expect(peer.state.chain).toEqual(certificates);
  });

  test('a chain with a certificate that does not hold is refused by the sender’s name', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const weak = certificateAfter([], { job, roster, signers: [0, 1, 2] });
    peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [weak] });
    expect(peer.of('fetch-state')).toEqual([]);
    expect(peer.notices('refused')[0]).toMatchObject({ peer: keys[1]!.peerId });
  });

  test('answers that begin behind our end do not make us ask without end', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const far = certificateAfter([], { job, roster, changes: { round: 9 } });
    const answer = { kind: 'chain', from: keys[1]!.peerId, certificates: [far] } as const;
    for (let i = 0; i < 20; i++) peer.take(answer);
    expect(peer.of('fetch-chain')).toHaveLength(1);
  });

  test('who JOINed rolls back to a better chain and starts anew', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const adopt = (certificates: readonly ReturnType<typeof certificateAfter>[]) => {
      peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates });
      const { stateHash } = certificates.at(-1)!.statement;
      peer.take({ kind: 'state-fetched', stateHash });
    };
    const short = certificateAfter([], { job, roster: roster.slice(0, 3), state: 'short' });
    adopt([short]);
    peer.train();
    expect(peer.phase).toBe('joining');
    const first = certificateAfter([], { job, roster });
    adopt([first, certificateAfter([first], { job, roster })]);
    expect(peer.notices('rolled-back')).toEqual([{ kind: 'rolled-back', toRound: 0 }]);
    expect(peer.state.chain).toHaveLength(2);
    expect(peer.phase).toBe('training');
    expect(peer.state.update).toBeUndefined();
    // Back to a worse one: never.
    adopt([short]);
    expect(peer.state.chain).toHaveLength(2);
  });

  test('a watcher never JOINs, but follows the chain to its end', () => {
    const short = testJob(keys[0]!, { rounds: 1 });
    const watcher = new EnginePeer(short, keys[5]!).start([], false);
    const others = swarm(4, short);
    for (const other of others) other.train();
    watcher.hear(...others.flatMap((other) => other.sent('join')));
    expect(watcher.phase).toBe('watching');
    const certificate = certificateAfter([], { job: short, roster });
    watcher.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [certificate] });
    watcher.take({ kind: 'state-fetched', stateHash: certificate.statement.stateHash });
    expect(watcher.state.chain).toEqual([certificate]);
    expect(watcher.phase).toBe('finished');
    expect(watcher.of('train')).toEqual([]);
    expect(watcher.of('journal')).toEqual([]);
    expect(watcher.sent('join')).toEqual([]);
  });
});
