import type { PeerId } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { expect, test } from 'vitest';
import { vectorsBeside } from '../../../test/helpers/vectors.ts';
import {
  type CertificateHash,
  readThanks,
  type Service,
  type Statement,
  signThanks,
  THANKERS_MAX,
  thankersOf,
} from './index.ts';

const keys = Array.from({ length: 100 }, (_, i) =>
  signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, at) => at + i)),
);
const certificate = 'ab'.repeat(32) as CertificateHash;
const service = (peer: PeerId): Service => ({ peer, sums: 5, blobs: 0, relayed: 0 });

test('thanks are their signer’s own, unchanged, and not for itself [R-74]', () => {
  const [signer, other] = keys as [(typeof keys)[0], (typeof keys)[0]];
  const thanks = signThanks({ certificate, services: [service(other.peerId)] }, signer);
  expect(readThanks(thanks.bytes)).toEqual(thanks);
  for (let at = 0; at < thanks.bytes.length; at++) {
    const flipped = thanks.bytes.with(at, thanks.bytes[at]! ^ (1 << (at % 8)));
    let read: unknown;
    try {
      read = readThanks(flipped);
    } catch (error) {
      expect(error).toMatchObject({ name: 'DecodeError' });
    }
    expect(read).toBeUndefined();
  }
  const own = signThanks({ certificate, services: [service(signer.peerId)] }, signer);
  expect(readThanks(own.bytes)).toBeUndefined();
});

test('the published one is read', () => {
  const { read } = vectorsBeside(import.meta.url);
  const vector = read<{ name: string; hex: string; hash: string }>('identities.json').find(
    ({ name }) => name === 'signed thanks',
  )!;
  expect(readThanks(new Uint8Array(Buffer.from(vector.hex, 'hex')))?.hash).toBe(vector.hash);
});

test('of a small roster all survivors thank, of a large one those that are drawn', () => {
  const peers = keys.map(({ peerId }) => peerId);
  const statement = (round: number): Statement => ({
    ...{ jobId: certificate as never, round, restarts: 0, attempt: 0, parent: certificate },
    ...{ stateHash: certificate as never, roster: peers, survivors: new Uint8Array(13) },
    metrics: { lossSum: 0, correct: 0, examples: 0, seconds: 0 },
  });
  expect([...thankersOf(statement(1), peers.slice(0, 7))]).toEqual(peers.slice(0, 7));
  const [first, second] = [1, 2].map((round) => thankersOf(statement(round), peers));
  expect(first!.size).toBe(THANKERS_MAX);
  expect(thankersOf(statement(1), peers.toReversed())).toEqual(first);
  expect(second).not.toEqual(first);
});
