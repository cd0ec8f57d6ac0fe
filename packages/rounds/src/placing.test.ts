import { compareText, type PeerId } from '@starling/core';
import { type Body, type Envelope, sealEnvelope } from '@starling/protocol-rounds';
import { toBitmap } from '@starling/secagg';
import { describe, expect, test } from 'vitest';
import { proposerOf } from './joins.ts';
import { saidInCell, saidToAll } from './sync.ts';
import { EnginePeer, exchange } from './testing/engine-peer.ts';
import { certificateAfter, hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(12);
const job = testJob(keys[0]!, { aggregation: { cellSize: 5 }, admission: { maxPeers: 12 } });
const keyOf = (peer: PeerId) => keys.find(({ peerId }) => peerId === peer)!;

/** Twelve peers with one roster, too large for one cell; nobody has heard an ACK. */
function placing(): readonly EnginePeer[] {
  const peers = keys.map((key) => new EnginePeer(job, key).start());
  for (const peer of peers) peer.train();
  exchange(peers);
  for (const peer of peers) peer.fire('window');
  exchange(peers);
  expect(peers.map(({ phase }) => phase)).toEqual(peers.map(() => 'placing'));
  return [...peers].sort((a, b) => compareText(a.peer, b.peer));
}

const names = (peers: readonly EnginePeer[]) => peers.map(({ peer }) => peer);
const proposerIn = (peers: readonly EnginePeer[]): EnginePeer => {
  const proposer = proposerOf(peers[0]!.roundId(), 0, names(peers));
  return peers.find(({ peer }) => peer === proposer)!;
};
const acksOf = (peers: readonly EnginePeer[]) => peers.flatMap((peer) => peer.sent('ack'));
const rosterOf = ([peer]: readonly EnginePeer[]) => peer!.sent('ack')[0]!.roster;

/** CELLS that name these members, by whom it says. */
function cellsOf(peers: readonly EnginePeer[], members: readonly number[], by?: PeerId): Envelope {
  const body: Body = { kind: 'cells', acked: toBitmap(members, peers.length) };
  const context = { roundId: peers[0]!.roundId(), attempt: 0, roster: rosterOf(peers) };
  return sealEnvelope(context, body, keyOf(by ?? proposerIn(peers).peer));
}
const everybody = [...Array(12).keys()];
/** Somebody who did not propose. */
const judgeIn = (peers: readonly EnginePeer[]): EnginePeer =>
  peers.find((peer) => peer !== proposerIn(peers))!;

test('all ACKs there: the proposer says so, and everybody is in the same cells [R-31]', () => {
  const peers = placing();
  for (const peer of peers) peer.hear(...acksOf(peers));
  const cells = peers.flatMap((peer) => peer.sent('cells'));
  expect(cells.map(({ sender }) => sender)).toEqual([proposerIn(peers).peer]);
  for (const peer of peers) peer.hear(...cells);
  expect(peers.map(({ phase }) => phase)).toEqual(peers.map(() => 'session'));
  const cut = peers.map(({ state }) => {
    if (state.phase.name !== 'session') throw new Error('no session');
    const { assembly, roster, config, digest } = state.phase.session;
    expect(roster).toEqual(names(peers));
    expect(config.isCell).toBe(true);
    const own = assembly!.config.cells.map((cell) => cell.map((index) => roster[index]));
    expect(own).toContainEqual(config.members.map(({ peer }) => peer));
    return { cells: assembly!.config.cells, digest };
  });
  for (const each of cut) expect(each).toEqual(cut[0]);
  expect(cut[0]!.cells).toHaveLength(2);
});

test('the proposer waits for the last ACK no longer than a phase', () => {
  const peers = placing();
  const proposer = proposerIn(peers);
  const late = peers.findLast((peer) => peer !== proposer)!;
  proposer.hear(...acksOf(peers.filter((peer) => peer !== late)));
  expect(proposer.sent('cells')).toEqual([]);
  proposer.fire('acks');
  expect(proposer.sent('cells')).toHaveLength(1);
  expect(proposer.phase).toBe('session');
});

describe('an ACK [R-29]', () => {
  test('that does not open its commitment does not count', () => {
    const peers = placing();
    const liar = judgeIn(peers);
    const context = { roundId: liar.roundId(), attempt: 0, roster: rosterOf(peers) };
    const lie = sealEnvelope(
      context,
      { kind: 'ack', reveal: new Uint8Array(32) },
      keyOf(liar.peer),
    );
    const proposer = proposerIn(peers);
    proposer.hear(lie, ...acksOf(peers.filter((peer) => peer !== liar)));
    expect(proposer.sent('cells')).toEqual([]);
    proposer.fire('acks');
    const [cells] = proposer.sent('cells');
    const others = everybody.filter((member) => peers[member] !== liar);
    expect(cells?.body).toEqual({ kind: 'cells', acked: toBitmap(others, 12) });
  });
});

describe('CELLS are not accepted [R-30]', () => {
  test('from another than the proposer', () => {
    const peers = placing();
    const judge = judgeIn(peers);
    const other = peers.find((peer) => peer !== judge && peer !== proposerIn(peers))!;
    judge.hear(...acksOf(peers), cellsOf(peers, everybody, other.peer));
    expect(judge.phase).toBe('placing');
    judge.hear(cellsOf(peers, everybody));
    expect(judge.phase).toBe('session');
  });

  test('with fewer than a quorum of the roster', () => {
    const peers = placing();
    const judge = judgeIn(peers);
    const self = peers.indexOf(judge);
    const few = [self, ...everybody.filter((member) => member !== self)].slice(0, 8);
    judge.hear(...acksOf(peers.filter((_, member) => few.includes(member))));
    judge.hear(
      cellsOf(
        peers,
        [...few].sort((a, b) => a - b),
      ),
    );
    expect(judge.phase).toBe('placing');
  });

  test('before every ACK that they name is there', () => {
    const peers = placing();
    const judge = judgeIn(peers);
    const [first, ...rest] = acksOf(peers).filter(({ sender }) => sender !== judge.peer);
    judge.hear(...rest, cellsOf(peers, everybody));
    expect(judge.phase).toBe('placing');
    judge.hear(first!);
    expect(judge.phase).toBe('session');
  });

  test('when they leave out many whose ACKs were there in time', () => {
    const peers = placing();
    const judge = judgeIn(peers);
    const left = peers.findIndex((peer) => peer !== judge && peer !== proposerIn(peers));
    judge.hear(...acksOf(peers));
    judge.now += 5_000;
    judge.hear(
      cellsOf(
        peers,
        everybody.filter((member) => member !== left),
      ),
    );
    expect(judge.phase).toBe('placing');
    expect(judge.notices('refused')).toHaveLength(1);
  });

  test('and without any there is a next attempt, with the same update', () => {
    const peers = placing();
    const judge = judgeIn(peers);
    judge.fire('cells');
    expect(judge.phase).toBe('joining');
    expect(judge.notices('retry')).toMatchObject([{ reason: 'no-cells' }]);
    expect(judge.sent('join').map(({ attempt }) => attempt)).toEqual([0, 1]);
    expect(judge.of('train')).toHaveLength(1);
  });
});

test('consent that is taken back while the cells are made takes the update out', () => {
  const peers = placing();
  const judge = judgeIn(peers);
  judge.take({ kind: 'participate', on: false });
  expect(judge.phase).toBe('watching');
  judge.hear(...acksOf(peers), cellsOf(peers, everybody));
  expect(judge.phase).toBe('watching');
  expect(judge.sent('session')).toEqual([]);
});

test('what is said in a cell is told to nobody who asks for what was said to all [R-32]', () => {
  const peers = placing();
  for (const peer of peers) peer.hear(...acksOf(peers));
  for (const peer of peers) peer.hear(...proposerIn(peers).sent('cells'));
  const said = peers.flatMap((peer) => peer.sent('session'));
  for (const peer of peers) peer.hear(...said);
  const [peer] = peers as [EnginePeer];
  const { phase } = peer.state;
  if (phase.name !== 'session') throw new Error('no session');
  const kinds = saidToAll(peer.state).map(({ body }) => body.kind);
  expect(kinds).not.toContain('session');
  expect(kinds).toContain('cells');
  const { rosterDigest, members } = phase.session.config;
  const mine = saidInCell(peer.state, rosterDigest);
  expect(new Set(mine.map(({ body }) => body.kind))).toEqual(new Set(['session']));
  const mates = new Set(members.map((member) => member.peer));
  expect(mine.every(({ sender }) => mates.has(sender))).toBe(true);
  expect(saidInCell(peer.state, new Uint8Array(32))).toEqual([]);
  // On the wire, too: to the cell's own topic.
  const gossip = peer.of('gossip').filter(({ cell }) => cell !== null);
  expect(gossip).toHaveLength(peer.sent('session').length);
});

test('a smaller roster’s certificate does not end an attempt under way [R-33]', () => {
  const peers = placing();
  for (const peer of peers) peer.hear(...acksOf(peers));
  for (const peer of peers) peer.hear(...proposerIn(peers).sent('cells'));
  const [peer] = peers as [EnginePeer];
  const from = peers[1]!.peer;
  const few = [...keys].slice(3, 6);
  const certificates = [certificateAfter([], { job, roster: few })];
  peer.take({ kind: 'chain', from, certificates });
  peer.take({ kind: 'state-fetched', stateHash: hashNamed('state 1') });
  expect(peer.phase).toBe('session');
  expect(peer.state.chain).toEqual([]);
  // The attempt fails: now there is nothing to wait for.
  peer.fire('assembly/0/0/stall');
  expect(peer.state.chain).toEqual(certificates);
});
