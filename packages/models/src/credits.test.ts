import { expect, test } from 'vitest';
import { creditsOf, type JobCredits } from './credits.ts';
import { chainOf, JOB, KEYS, proofOf } from './testing/hand-made-job.ts';

test('updates, rosters and signatures are counted from the certificates', () => {
  const { credits, ...rest } = creditsOf(proofOf(chainOf(4))) as JobCredits;
  expect(rest).toEqual({
    ...{ job: JOB, name: 'by-hand', launcher: KEYS[0]!.peerId, rounds: 2, provisional: 0 },
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
