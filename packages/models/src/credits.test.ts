import { decodeCanonical } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import {
  PROOF_BYTES_MAX,
  proofCodec,
  proofThanksMax,
  signThanks,
  statementHash,
} from '@starling/protocol-rounds';
import { expect, test } from 'vitest';
import { creditsOf, type JobCredits } from './credits.ts';
import { chainOf, JOB, KEYS, proofOf } from './testing/hand-made-job.ts';

type Key = (typeof KEYS)[0];

test('updates, rosters and signatures are counted from the certificates', () => {
  const { credits, ...rest } = creditsOf(proofOf(chainOf(4))) as JobCredits;
  expect(rest).toEqual({
    ...{ job: JOB, name: 'by-hand', launcher: KEYS[0]!.peerId, rounds: 2, provisional: 0 },
    thanked: 0,
  });
  expect(credits.map(({ peer }) => peer).toSorted()).toEqual(KEYS.map(({ peerId }) => peerId));
  for (const { updates, rosters, share } of credits) {
    expect({ updates, rosters, share }).toEqual({ updates: 2, rosters: 2, share: 0.25 });
  }
  // Three signed the first round, all four the second: who signed less comes last.
  expect(credits.map(({ signatures }) => signatures)).toEqual([2, 2, 2, 1]);
});

test('a chain that does not hold gives no credit', () => {
  const [first, second] = chainOf();
  expect(creditsOf(proofOf([second!, first!]))).toEqual({
    fault: expect.stringMatching(/^certificate of round 1: /),
  });
  const forged = { ...second!, signatures: second!.signatures.slice(0, 2) };
  expect(creditsOf(proofOf([first!, forged]))).toEqual({
    fault: 'certificate of round 2: no quorum of signatures: 2 hold, 3 are needed',
  });
  expect(() => creditsOf(new Uint8Array(3))).toThrow();
});

test('bytes that were served count where a quorum of the survivors has thanked', () => {
  const chain = chainOf();
  const [a, b, c, d] = KEYS as [Key, Key, Key, Key];
  const relay = signingKeyFromSeed(new Uint8Array(32).fill(77)).peerId;
  const thanks = (key: Key, round: number, sums: number) =>
    signThanks(
      {
        certificate: statementHash(chain[round - 1]!.statement),
        services: [
          { peer: key === a ? b.peerId : a.peerId, sums, blobs: 1, relayed: 0 },
          { peer: relay, sums: 0, blobs: 0, relayed: 100 },
        ],
      },
      key,
    ).bytes;
  const first = [thanks(b, 1, 10), thanks(c, 1, 20), thanks(d, 1, 30)];
  // Two of four are no quorum, nor is one who says it three times, or a stranger.
  const stranger = signingKeyFromSeed(new Uint8Array(32).fill(9));
  const second = [thanks(a, 2, 1_000), thanks(b, 2, 1_000), thanks(b, 2, 2_000)];
  const all = [...first, ...second, thanks(stranger, 2, 1_000)];
  const { credits, thanked } = creditsOf(proofOf(chain, { thanks: all })) as JobCredits;
  expect(thanked).toBe(1);
  const of = (peer: string) => credits.find((credit) => credit.peer === peer);
  expect(of(a.peerId)).toMatchObject({ updates: 2, sums: 60, blobs: 3, relayed: 0 });
  expect(of(b.peerId)).toMatchObject({ sums: 0, blobs: 0 });
  expect(of(relay)).toMatchObject({ updates: 0, share: 0, relayed: 300 });
});

test('of two thanks by one signer the same one counts, in whatever order they stand', () => {
  const chain = chainOf();
  const of = (key: Key, sums: number) =>
    signThanks(
      {
        certificate: statementHash(chain[0]!.statement),
        services: [{ peer: KEYS[0]!.peerId, sums, blobs: 0, relayed: 0 }],
      },
      key,
    ).bytes;
  const all = KEYS.slice(1).flatMap((key) => [of(key, 1), of(key, 2)]);
  const sumsIn = (thanks: readonly Uint8Array[]) =>
    (creditsOf(proofOf(chain, { thanks })) as JobCredits).credits.map(({ sums }) => sums);
  expect(sumsIn(all)).toEqual(sumsIn(all.toReversed()));
});

test('a proof with as many thanks as it may have can be read', () => {
  const chain = chainOf();
  const proof = (thanks: number) =>
    proofOf(chain, { thanks: new Array(thanks).fill(new Uint8Array(1)) });
  const read = (bytes: Uint8Array) => decodeCanonical(proofCodec, bytes, PROOF_BYTES_MAX);
  const most = proofThanksMax(chain.length);
  expect(read(proof(most)).thanks).toHaveLength(most);
  expect(() => read(proof(most + 16))).toThrow('too many items');
});
