import { describe, expect, test } from 'vitest';
import { EnginePeer, exchange } from './testing/engine-peer.ts';
import { hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(6);
const job = testJob(keys[0]!);
const swarm = (count: number, ofJob = job): readonly EnginePeer[] =>
  keys.slice(0, count).map((key) => new EnginePeer(ofJob, key).start());

describe('an update that failed', () => {
  const failed = (peer: EnginePeer, reason: string) =>
    peer.take({ kind: 'train-failed', stateHash: peer.of('train').at(-1)!.stateHash, reason });

  test('never JOINs, and is tried again and again', () => {
    const [peer] = swarm(1) as [EnginePeer];
    for (let tries = 1; tries <= 9; tries++) {
      expect(peer.of('train')).toHaveLength(tries);
      failed(peer, 'the update holds NaN');
      expect(peer.phase).toBe('watching');
      peer.fire('retrain');
    }
    expect(peer.notices('train-failed')).toHaveLength(9);
    expect(peer.sent('join')).toEqual([]);
    expect(peer.of('journal')).toEqual([]);
  });

  test('does not keep the peer out once training works again', () => {
    const [peer] = swarm(1) as [EnginePeer];
    failed(peer, 'trainer-died');
    peer.fire('retrain');
    peer.train();
    expect(peer.sent('join')).toHaveLength(1);
  });
});

describe('JOIN', () => {
  test('is in the journal before it is gossiped [R-5]', () => {
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

  test('goes to the next slot after a restart: the keys of the one before are gone [R-8]', () => {
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
  const joinsAfter = (restarts: number): readonly (readonly number[])[] => {
    const peer = new EnginePeer(job, keys[0]!);
    peer.start([{ roundId: peer.roundId(restarts), slot: { restarts, attempt: 1_000 } }]);
    peer.train();
    return peer
      .sent('join')
      .map(({ attempt, body }) => [body.kind === 'join' ? body.restarts : -1, attempt]);
  };
  expect(joinsAfter(0)).toEqual([[1, 0]]);
  expect(joinsAfter(1_000)).toEqual([]);
});

test('below minPeers a job waits and says so; one more JOIN and it goes on [R-10]', () => {
  const four = testJob(keys[0]!, { admission: { minPeers: 4 } });
  const peers = swarm(4, four);
  for (const peer of peers) peer.train();
  exchange(peers.slice(0, 3));
  for (const peer of peers.slice(0, 3)) {
    peer.fire('window');
    expect(peer.phase).toBe('joining');
    expect(peer.notices('waiting')).toEqual([{ kind: 'waiting', round: 1, joined: 3, needed: 4 }]);
  }
  exchange(peers);
  // Whoever's turn it is may be the one whose window is still open.
  peers[3]!.fire('window');
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
