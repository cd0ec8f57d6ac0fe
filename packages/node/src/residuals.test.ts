import type { BlobHash, JobId, PeerId } from '@starling/core';
import { hashHex, signingKeyFromSeed } from '@starling/crypto';
import type { Certificate, CertificateHash } from '@starling/protocol-rounds';
import { roundIdOf } from '@starling/rounds';
import { MemoryJournal } from '@starling/store';
import { expect, test } from 'vitest';
import { JobJournal } from './job-journal.ts';
import { Residuals } from './residuals.ts';

const named = (name: string) => hashHex(new TextEncoder().encode(name));
const job = named('job') as JobId;
const [self, other] = [1, 2].map((n) => signingKeyFromSeed(new Uint8Array(32).fill(n)).peerId) as [
  PeerId,
  PeerId,
];
/** More than one piece. */
const LENGTH = 300_000;
const residual = (value: number): Float32Array => new Float32Array(LENGTH).fill(value, 1);
const parent = named('parent') as CertificateHash;

const certificate = (survivors: number, attempt = 0): Certificate => ({
  statement: {
    ...{ jobId: job, round: 1, restarts: 0, attempt, parent },
    stateHash: named('state') as BlobHash,
    roster: [self, other],
    survivors: Uint8Array.of(survivors),
    metrics: { lossSum: 0, correct: 0, examples: 0, seconds: 0 },
  },
  signatures: [],
});
const BOTH = 3;
const OTHER_ALONE = 2;

/** A peer's disk on which its update was masked in attempt 0 of round 1. */
async function setUp() {
  const disk = new MemoryJournal();
  const notes = new JobJournal(disk, job);
  const masked = (update: string, attempt: number) =>
    notes.note(`attempt/${roundIdOf(job, parent, 1, 0)}/0/${attempt}/masked`, update);
  await masked('update-1', 0);
  const residuals = new Residuals(disk, job, self);
  const again = () => new Residuals(disk, job, self);
  return { disk, masked, residuals, again };
}

/** The number that fills what is held. */
async function heldBy(residuals: Residuals): Promise<number | undefined> {
  const held = await residuals.load('mnist');
  if (held === undefined || held.length !== LENGTH || held[0] !== 0) return undefined;
  return held.subarray(1).every((value) => value === held[1]) ? held[1] : undefined;
}

const keysOf = async (disk: MemoryJournal): Promise<number> => {
  let count = 0;
  for await (const _ of disk.entries(`job/${job}/residual/`)) count += 1;
  return count;
};

test('counts once the very update is certified, and outlives a crash [R-72]', async () => {
  const { residuals, again } = await setUp();
  expect(await residuals.load('mnist')).toBeUndefined();
  await residuals.offer('update-1', 'mnist', residual(1));
  expect(await residuals.load('mnist')).toBeUndefined();
  // The process dies here, and learns of the certificate from others.
  await again().settle([certificate(BOTH)]);
  expect(await heldBy(again())).toBe(1);
  expect(await again().load('another data set')).toBeUndefined();
});

test('stays as it was when the update is burnt, is left out, or is another', async () => {
  const { residuals, masked, disk } = await setUp();
  await residuals.offer('update-1', 'mnist', residual(1));
  await residuals.settle([certificate(BOTH)]);
  const before = await keysOf(disk);
  // Masked in attempt 1, which brought no certificate; attempt 2 has the other peer alone.
  await masked('update-2', 1);
  await residuals.offer('update-2', 'mnist', residual(2));
  await masked('update-3', 2);
  await residuals.offer('update-3', 'mnist', residual(3));
  await residuals.settle([certificate(OTHER_ALONE, 2)]);
  expect(await heldBy(residuals)).toBe(1);
  // Never masked at all.
  await residuals.offer('update-4', 'mnist', residual(4));
  await residuals.settle([certificate(BOTH, 3)]);
  expect(await heldBy(residuals)).toBe(1);
  expect(await keysOf(disk)).toBe(before);
});

test('a burnt update that others certified all the same counts', async () => {
  const { residuals, masked } = await setUp();
  await residuals.offer('update-1', 'mnist', residual(1));
  await masked('update-2', 1);
  await residuals.offer('update-2', 'mnist', residual(2));
  await residuals.settle([certificate(BOTH, 0)]);
  expect(await heldBy(residuals)).toBe(1);
});

test('is forgotten when the job is over', async () => {
  const { residuals, disk } = await setUp();
  await residuals.offer('update-1', 'mnist', residual(1));
  await residuals.settle([certificate(BOTH)]);
  await residuals.clear();
  expect(await residuals.load('mnist')).toBeUndefined();
  expect(await keysOf(disk)).toBe(0);
});
