import type { BlobHash, JobId, PeerId, RoundId } from '@starling/core';
import { hashHex, type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import { type Certificate, type CertificateHash, signStatement } from '@starling/protocol-rounds';
import { MemoryJournal } from '@starling/store';
import { expect, test } from 'vitest';
import { Catalogue } from './catalogue.ts';
import { JobJournal } from './job-journal.ts';

const named = (name: string) => hashHex(new TextEncoder().encode(name));
const [job, other] = [named('job') as JobId, named('other job') as JobId];
const key: SigningKey = signingKeyFromSeed(new Uint8Array(32));

const certificate = (round: number, branch = 'a'): Certificate => {
  const statement = {
    jobId: job,
    round,
    restarts: 0,
    attempt: 0,
    parent: named(`${branch} ${round - 1}`) as CertificateHash,
    stateHash: named(`${branch} state ${round}`) as BlobHash,
    roster: [key.peerId],
    survivors: new Uint8Array([1]),
    metrics: { lossSum: 1, correct: 2, examples: 3, seconds: 0 },
  };
  return { statement, signatures: [{ member: 0, signature: signStatement(statement, key) }] };
};

test('a job that was never stored has no past', async () => {
  const journal = new JobJournal(new MemoryJournal(), job);
  expect(await journal.recover()).toEqual({
    certificates: [],
    joined: [],
    bans: [],
    cancelled: undefined,
  });
});

test('a chain and the slots JOINed come back as they were stored', async () => {
  const disk = new MemoryJournal();
  const before = new JobJournal(disk, job);
  // Past ten, an order by text that is not padded would go wrong.
  const chain = Array.from({ length: 12 }, (_, i) => certificate(i + 1));
  for (const [i, item] of chain.entries()) await before.storeChain(i, [item]);
  const roundId = named('round') as RoundId;
  await before.note(`join/${roundId}/0/0`, 'update 1');
  await before.note(`join/${roundId}/2/13`, 'update 2');
  await before.note(`burnt/${roundId}/update 1`, 'reason');
  await before.note(`attempt/${roundId}/0/0/masked`, 'update 1');

  const { certificates, joined } = await new JobJournal(disk, job).recover();
  expect(certificates).toEqual(chain);
  expect(joined).toHaveLength(2);
  expect(joined).toContainEqual({ roundId, slot: { restarts: 0, attempt: 0 } });
  expect(joined).toContainEqual({ roundId, slot: { restarts: 2, attempt: 13 } });
  expect(await new JobJournal(disk, other).recover()).toEqual({
    certificates: [],
    joined: [],
    bans: [],
    cancelled: undefined,
  });
});

test('a shorter chain leaves no tail of the one before, and other jobs alone', async () => {
  const disk = new MemoryJournal();
  const [mine, theirs] = [new JobJournal(disk, job), new JobJournal(disk, other)];
  const long = [1, 2, 3, 4].map((round) => certificate(round));
  await mine.storeChain(0, long);
  await theirs.storeChain(0, long);
  const fork = certificate(2, 'b');
  await mine.storeChain(1, [fork]);
  expect((await mine.recover()).certificates).toEqual([long[0], fork]);
  expect((await theirs.recover()).certificates).toEqual(long);
});

test('the catalogue keeps manifests and the owner’s last word on each', async () => {
  const disk = new MemoryJournal();
  const catalogue = new Catalogue(disk);
  const [one, two] = [new Uint8Array([1]), new Uint8Array([2])];
  await catalogue.add(job, one);
  await catalogue.add(other, two);
  await catalogue.decide(job, { kind: 'approved', dataset: 'mine' });
  await catalogue.decide(job, { kind: 'refused' });
  // A decision alone, as a crash between two writes may leave it, is no job.
  await catalogue.decide(named('third') as JobId, { kind: 'refused' });
  const entries = await new Catalogue(disk).all();
  expect(entries).toHaveLength(2);
  expect(entries).toContainEqual({ manifest: one, decision: { kind: 'refused' } });
  expect(entries).toContainEqual({ manifest: two, decision: undefined });
});

test('bans come back, with their evidence or without', async () => {
  const journal = new JobJournal(new MemoryJournal(), job);
  const [one, other] = ['12D3KooWone', '12D3KooWother'] as PeerId[];
  await journal.note(`ban/${one}`, '101 equivocation 00ff');
  await journal.note(`ban/${other}`, '7 wrong-tag ');
  expect((await journal.recover()).bans).toEqual([
    [one, { until: 101, reason: 'equivocation', evidence: new Uint8Array([0, 255]) }],
    [other, { until: 7, reason: 'wrong-tag', evidence: undefined }],
  ]);
});
