import type { BlobHash, JobId } from '@starling/core';
import { hashHex, type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  type Certificate,
  type CertificateHash,
  type Job,
  statementHash,
} from '@starling/protocol-rounds';
import { type Chain, roundIdOf } from '@starling/rounds';
import { MemoryBlobStore, MemoryJournal } from '@starling/store';
import { expect, test } from 'vitest';
import { virtualManifest } from '../../../test/helpers/virtual-swarm.ts';
import { seededRandom } from '../../sim/src/prng.ts';
import { ControlVariates } from './control-variates.ts';
import { JobJournal } from './job-journal.ts';
import { OwnVectors } from './own-vectors.ts';

const key = (first: number): SigningKey => signingKeyFromSeed(new Uint8Array(32).fill(first));
const self = key(1).peerId;
const roster = [self, key(2).peerId, key(3).peerId].sort();
const id = 'a'.repeat(64) as JobId;
const job: Job = { id, launcher: self, manifest: virtualManifest() };

interface Link {
  /** Tells branches apart. */
  readonly branch?: string;
  readonly survived?: boolean;
  readonly restarts?: number;
  readonly attempt?: number;
}

/** The chain with one more certificate. */
function after(chain: Chain, link: Link = {}): Chain {
  const { branch = '', survived = true, restarts = 0, attempt = 0 } = link;
  const last = chain.at(-1);
  const parent = last ? statementHash(last.statement) : (id as string as CertificateHash);
  const round = chain.length + 1;
  const bits = roster.reduce((sum, peer, i) => sum | (Number(survived || peer !== self) << i), 0);
  const certificate: Certificate = {
    statement: {
      ...{ jobId: id, round, restarts, attempt, parent, roster },
      stateHash: hashHex(new TextEncoder().encode(`${branch}${round}`)) as BlobHash,
      survivors: Uint8Array.of(bits),
      metrics: { lossSum: 0, correct: 0, examples: 0, seconds: 0 },
    },
    signatures: [],
  };
  return [...chain, certificate];
}

function scene() {
  const disk = new MemoryJournal();
  const journal = new JobJournal(disk, id);
  const parts = { journal: disk, blobs: new MemoryBlobStore(), random: seededRandom(1, 0, 0) };
  const own = new OwnVectors({ ...parts, job: id });
  const variates = new ControlVariates({ job, self, own, journal });
  /** Trains an update to what follows `chain`, and JOINs with it. */
  const train = async (chain: Chain, value: number, slot = { restarts: 0, attempt: 0 }) => {
    const update = `${chain.length + 1}-${String(value).padStart(16, '0')}`;
    await variates.keep(update, Float32Array.of(value), chain);
    await join(chain, update, slot);
    return update;
  };
  const join = async (
    chain: Chain,
    update: string,
    { restarts, attempt } = { restarts: 0, attempt: 0 },
  ) => {
    const last = chain.at(-1);
    const parent = last ? statementHash(last.statement) : (id as string as CertificateHash);
    const roundId = roundIdOf(id, parent, chain.length + 1, restarts);
    await journal.note(`join/${roundId}/${restarts}/${attempt}`, update);
  };
  const at = async (chain: Chain) => (await variates.of(chain))?.[0];
  return { own, train, join, at };
}

test('takes effect with the certificate of its update, and not before', async () => {
  const { train, at } = scene();
  expect(await at([])).toBeUndefined();
  await train([], 1);
  expect(await at([])).toBeUndefined();
  const first = after([]);
  expect(await at(first)).toBe(1);
  await train(first, 2);
  expect(await at(first)).toBe(1);
  expect(await at(after(first))).toBe(2);
});

test('an update that was burnt, or is in no sum, leaves none', async () => {
  const { train, at } = scene();
  const first = after([]);
  await train([], 1);
  await train(first, 2);
  // Its attempt ended without a certificate, and another update took its place.
  await train(first, 3, { restarts: 1, attempt: 4 });
  expect(await at(after(first, { restarts: 1, attempt: 4 }))).toBe(3);
  // The certificate of an attempt that this peer did not JOIN.
  expect(await at(after(first, { restarts: 2 }))).toBe(1);
  expect(await at(after(first, { survived: false }))).toBe(1);
});

test('the same update in the next attempt counts all the same', async () => {
  const { train, join, at } = scene();
  const update = await train([], 1);
  await join([], update, { restarts: 0, attempt: 1 });
  expect(await at(after([], { attempt: 1 }))).toBe(1);
});

test('a chain that rolls back takes its variates with it, and a fork has its own', async () => {
  const { train, at } = scene();
  await train([], 1);
  const first = after([]);
  await train(first, 2);
  const [left, right] = [after(first, { branch: 'l' }), after(first, { survived: false })];
  await train(left, 3);
  expect(await at(after(left))).toBe(3);
  expect(await at(right)).toBe(1);
  await train(right, 4);
  expect(await at(after(right))).toBe(4);
  expect(await at(after(left))).toBe(3);
  expect(await at(first)).toBe(1);
});

test('what can count no more is thrown away', async () => {
  const { own, train, at } = scene();
  await train([], 1);
  const first = after([]);
  let chain = first;
  for (let round = 2; round <= 12; round++) {
    // It is in no sum from the second round on.
    await train(chain, round);
    chain = after(chain, { survived: false });
    expect(await at(chain)).toBe(1);
  }
  // The round under way, three before it, and what counts before those.
  expect(own.keys()).toHaveLength(5);
  expect(own.hashes()).toHaveLength(5);
});
