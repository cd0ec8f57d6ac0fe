import type { PeerId } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { expect, test } from 'vitest';
import { joinsInSlot } from './joins.ts';
import { EnginePeer, exchange } from './testing/engine-peer.ts';
import { certificateAfter, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(6);
const job = testJob(keys[0]!);

/** Engines that know who may train; those in `light` only as light peers. */
function swarmWith(out: Set<PeerId>, light: ReadonlySet<PeerId> = new Set()) {
  const mayJoin = (peer: PeerId, isLight: boolean) =>
    !out.has(peer) && (isLight || !light.has(peer));
  return keys.slice(0, 5).map((key) => new EnginePeer(job, key, { mayJoin }).start());
}

test('a JOIN of a peer that may not train is ignored, and said once [M-19]', () => {
  const stranger = keys[4]!.peerId;
  const peers = swarmWith(new Set([stranger]));
  for (const peer of peers) peer.train();
  exchange(peers);
  exchange(peers);
  for (const peer of peers.slice(0, 4)) peer.fire('window');
  exchange(peers);
  for (const peer of peers.slice(0, 4)) {
    expect(peer.phase).toBe('session');
    const { roster } = peer.notices('session')[0]!;
    expect(roster).toHaveLength(4);
    expect(roster).not.toContain(stranger);
    const told = peer.notices('refused').filter((notice) => notice.peer === stranger);
    expect(told).toHaveLength(1);
  }
});

test('a peer that may train only as a light one must say that it is [M-19]', () => {
  const light = keys[3]!.peerId;
  const [peer, ...others] = swarmWith(new Set(), new Set([light])) as [EnginePeer, ...EnginePeer[]];
  peer.train();
  const slot = { restarts: 0, attempt: 0 };
  const held = joinsInSlot(peer.state, slot).size;
  const heavy = others.find((other) => other.peer === light)!;
  heavy.train();
  peer.hear(...heavy.sent('join'));
  expect(joinsInSlot(peer.state, slot).size).toBe(held);
  const mayJoin = (of: PeerId, isLight: boolean) => isLight || of !== light;
  const honest = new EnginePeer(job, keys[3]!, { weight: 0, mayJoin }).start();
  honest.train();
  peer.hear(...honest.sent('join'));
  expect(joinsInSlot(peer.state, slot).size).toBe(held + 1);
});

test('a chain with a roster of made-up keys is not taken over [M-21]', () => {
  const strangers = keys.slice(3, 6);
  const members = keys.slice(0, 3);
  const mayHaveJoined = (peer: PeerId) => members.some(({ peerId }) => peerId === peer);
  const peer = new EnginePeer(job, keys[0]!, { mayHaveJoined }).start();
  const offer = (roster: readonly SigningKey[]) => {
    const certificate = certificateAfter([], { job, roster });
    peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [certificate] });
    return certificate.statement.stateHash;
  };
  offer(strangers);
  offer([...members, strangers[0]!]);
  expect(peer.of('fetch-state')).toEqual([]);
  expect(peer.notices('refused').map(({ reason }) => reason)).toEqual([
    expect.stringContaining('never was a member'),
    expect.stringContaining('never was a member'),
  ]);
  const stateHash = offer(members);
  expect(peer.of('fetch-state')).toMatchObject([{ stateHash }]);
});

test('a roster with a peer that was revoked after its JOIN is not accepted [M-19]', () => {
  const out = new Set<PeerId>();
  const peers = swarmWith(out);
  for (const peer of peers) peer.train();
  exchange(peers);
  const gone = keys[4]!.peerId;
  // All JOINs are there; the news comes before the roster.
  out.add(gone);
  for (const peer of peers) if (peer.peer !== gone) peer.fire('window');
  exchange(peers.filter(({ peer }) => peer !== gone));
  for (const peer of peers.filter(({ peer: id }) => id !== gone)) {
    expect(peer.notices('session')[0]?.roster ?? []).not.toContain(gone);
  }
});
