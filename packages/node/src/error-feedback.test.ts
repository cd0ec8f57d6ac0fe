import type { BlobHash, PeerId } from '@starling/core';
import { hashHex, signingKeyFromSeed } from '@starling/crypto';
import type { Certificate } from '@starling/protocol-rounds';
import { codecOf, publicSeedOf, roundIdOf } from '@starling/rounds';
import { MemoryJournal } from '@starling/store';
import { describe, expect, test } from 'vitest';
import { testJob } from '../../rounds/src/testing/fixtures.ts';
import { seededRandom } from '../../sim/src/prng.ts';
import { inlineCompute } from './compute.ts';
import { ErrorFeedback, type Offer } from './error-feedback.ts';
import { JobJournal } from './job-journal.ts';

const LENGTH = 3_000;
const key = signingKeyFromSeed(new Uint8Array(32));
const self = key.peerId as PeerId;
const SETTINGS = { ringBits: 12, rotation: 'hadamard', errorFeedback: true } as const;
const random = seededRandom(3, 0, 0);
const stateHash = hashHex(new Uint8Array([1])) as BlobHash;
const effort = { examples: 10, localSteps: 1 };
const metrics = { lossSum: 0, correct: 0, examples: 0, seconds: 0 };

/** One peer with error feedback, and what its host does. */
function peer(more: { readonly sparsity?: number } = {}) {
  const admission = { maxPeers: 16 };
  const job = testJob(key, { aggregation: { ...SETTINGS, ...more }, admission });
  const codec = codecOf(job.manifest);
  const journal = new MemoryJournal();
  const notes = new JobJournal(journal, job.id);
  const feedback = new ErrorFeedback({ journal, compute: inlineCompute, job, self });
  const publicSeed = publicSeedOf(job.id, stateHash);
  const train = async (id: string, value: number): Promise<Offer & { update: Float32Array }> => {
    const update = new Float32Array(LENGTH).fill(value);
    const residual = await feedback.leftOver('d');
    const task = { update: update.slice(), trainable: LENGTH, effort, metrics, codec, publicSeed };
    const input = { ...task, residual, seed: random.bytes(32) };
    const { words, residual: left } = await inlineCompute.run('quantise', input);
    const trained = { update: { id, handle: id }, words, residual: left, effort };
    return { trained, dataset: 'd', stateHash, update };
  };
  const mask = async (id: string) => {
    const roundId = roundIdOf(job.id, stateHash as never, 1, 0);
    await notes.note(`attempt/${roundId}/0/0/masked`, id);
    feedback.masked(id);
  };
  const certificate = (survivors: readonly number[]): Certificate => ({
    statement: {
      ...{ jobId: job.id, round: 1, restarts: 0, attempt: 0, parent: stateHash as never },
      ...{ stateHash, roster: [self, `${self}x` as PeerId], metrics },
      survivors: Uint8Array.of(survivors.reduce((bits, bit) => bits | (1 << bit), 0)),
    },
    signatures: [],
  });
  return { feedback, train, mask, certificate };
}

const held = (feedback: ErrorFeedback) => feedback.leftOver('d');
function expectNear(found: Float32Array | undefined, expected: number): void {
  expect(found).toHaveLength(LENGTH);
  for (const value of found!) expect(Math.abs(value - expected)).toBeLessThan(1e-5);
}

describe.each([{}, { sparsity: 0.3 }])('an update of which nothing was sent, %j', (more) => {
  test('goes into the next one as a whole', async () => {
    const { feedback, train, certificate } = peer(more);
    await feedback.offer(await train('one', 0.01));
    await feedback.settle([certificate([1])]);
    expectNear(await held(feedback), 0.01);
    // And with the next, which is late too.
    await feedback.offer(await train('two', 0.02));
    await feedback.settle([certificate([1])]);
    expectNear(await held(feedback), 0.03);
  });

  test('is taken along when it is trained after its round', async () => {
    const { feedback, train } = peer(more);
    await feedback.late(await train('one', 0.01));
    expectNear(await held(feedback), 0.01);
  });
});

test('a masked update is not kept, certified or not', async () => {
  const { feedback, train, mask, certificate } = peer();
  await feedback.offer(await train('one', 0.01));
  await mask('one');
  await feedback.settle([certificate([1])]);
  expect(await held(feedback)).toBeUndefined();
  const offer = await train('two', 0.01);
  await feedback.offer(offer);
  await mask('two');
  await feedback.settle([certificate([0, 1])]);
  expect(await held(feedback)).toEqual(offer.trained.residual);
});

test('nor is one whose owner took the consent back, or that a newer one follows', async () => {
  const { feedback, train, certificate } = peer();
  await feedback.offer(await train('one', 0.01));
  feedback.withdraw();
  await feedback.settle([certificate([1])]);
  expect(await held(feedback)).toBeUndefined();
  const slow = await train('slow', 0.01);
  await feedback.offer(await train('newer', 0.02));
  await feedback.late(slow);
  expect(await held(feedback)).toBeUndefined();
});
