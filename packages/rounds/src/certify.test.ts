import { millis } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import {
  type Envelope,
  sealEnvelope,
  signStatement,
  statementHash,
} from '@starling/protocol-rounds';
import { expect, test } from 'vitest';
import { signersOf } from './chain.ts';
import { engineStep } from './engine.ts';
import type { RunningSession } from './state.ts';
import { EnginePeer, exchange } from './testing/engine-peer.ts';
import { hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(5);
const job = testJob(keys[0]!);
const NEW_STATE = hashNamed('new state');
const METRICS = { lossSum: 3, correct: 2, examples: 4, seconds: 0 };

/** A member of a roster of five whose session has just opened its sum. */
function applyingPeer(): EnginePeer {
  const peers = keys.map((key) => new EnginePeer(job, key).start());
  for (const peer of peers) peer.train();
  exchange(peers);
  for (const peer of peers) peer.fire('window');
  exchange(peers);
  const [peer] = peers as [EnginePeer];
  if (peer.state.phase.name !== 'session') throw new Error(`in phase ${peer.phase}`);
  const { session } = peer.state.phase;
  const outcome = { kind: 'sum', result: 'sum', survivors: [0, 1, 2, 3, 4] } as const;
  const opened: RunningSession = { ...session, state: { ...session.state, outcome } };
  peer.state = { ...peer.state, phase: { name: 'applying', session: opened } };
  return peer;
}

function certifyingPeer(): EnginePeer {
  const peer = applyingPeer();
  peer.take({
    kind: 'applied',
    roundId: peer.roundId(),
    stateHash: NEW_STATE,
    metrics: METRICS,
  });
  return peer;
}

/** `key`'s FINAL for the statement that `peer` signed, with a signature by `signer`. */
function finalBy(peer: EnginePeer, key: SigningKey, signer = key, attempt = 0): Envelope {
  if (peer.state.phase.name !== 'certifying') throw new Error(`in phase ${peer.phase}`);
  const { session, statement, hash } = peer.state.phase;
  const signature = signStatement({ ...statement, attempt }, signer);
  const context = { roundId: session.roundId, attempt: 0, roster: session.config.rosterDigest };
  return sealEnvelope(context, { kind: 'final', statement: hash, signature }, key);
}

test('the statement is in the journal before FINAL is sent [R-17]', () => {
  const peer = applyingPeer();
  const { effects } = engineStep(peer.state, {
    at: millis(0),
    event: { kind: 'applied', roundId: peer.roundId(), stateHash: NEW_STATE, metrics: METRICS },
  });
  const [journal, gossip] = effects;
  expect(journal).toMatchObject({ kind: 'journal', key: `final/${peer.roundId()}/0/0` });
  expect(gossip).toMatchObject({ kind: 'gossip', message: { kind: 'envelope' } });
});

test('a certificate is made of t valid signatures of members and of nothing else [R-18]', () => {
  const peer = certifyingPeer();
  const stranger = testKeys(6).find(({ peerId }) => keys.every((key) => key.peerId !== peerId))!;
  peer.hear(
    finalBy(peer, keys[1]!),
    finalBy(peer, keys[2]!),
    finalBy(peer, stranger),
    // Signed for by somebody else, and over another statement.
    finalBy(peer, keys[3]!, keys[1]!),
    finalBy(peer, keys[4]!, keys[4]!, 1),
  );
  expect(peer.phase).toBe('certifying');
  const fresh = certifyingPeer();
  fresh.hear(...[1, 2, 3].map((i) => finalBy(fresh, keys[i]!)));
  const [certificate] = fresh.state.chain;
  expect(certificate!.statement).toMatchObject({ stateHash: NEW_STATE, metrics: METRICS });
  expect(signersOf(certificate!)).toEqual(new Set(keys.slice(0, 4).map(({ peerId }) => peerId)));
  expect(fresh.notices('certified')[0]!.hash).toBe(statementHash(certificate!.statement));
});

test('without a certificate the update is journalled as burnt and gone [R-19]', () => {
  const peer = certifyingPeer();
  const burnt = peer.state.update!.id;
  peer.fire('certify');
  expect(peer.of('journal').at(-1)).toMatchObject({ key: `burnt/${peer.roundId()}/${burnt}` });
  expect(peer.state.update).toBeUndefined();
  expect(peer.phase).toBe('training');
  peer.train();
  expect(peer.state.update!.id).not.toBe(burnt);
  const [, second] = peer.sent('join');
  expect(second).toMatchObject({ attempt: 0, body: { restarts: 1 } });
});
