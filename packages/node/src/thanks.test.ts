import { decodeCanonical, LIMITS, type PeerId } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import {
  type Certificate,
  gossipCodec,
  readThanks,
  signThanks,
  statementHash,
  type Thanks,
} from '@starling/protocol-rounds';
import { MemoryJournal } from '@starling/store';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryNetwork } from '../../../test/helpers/memory-network.ts';
import { until } from '../../../test/helpers/until.ts';
import { TEST_MODEL, VirtualSwarm, virtualManifest } from '../../../test/helpers/virtual-swarm.ts';
import { certificateAfter, testJob } from '../../rounds/src/testing/fixtures.ts';
import { gatherThanks } from './gather-thanks.ts';
import { ThanksBook } from './thanks.ts';

const keys = [1, 2, 3, 4].map((seed) => signingKeyFromSeed(new Uint8Array(32).fill(seed)));
const [me, a, b, c] = keys as [Key, Key, Key, Key];
type Key = (typeof keys)[0];
const job = testJob(me);
const first = certificateAfter([], { job, roster: keys, survivors: [0, 1, 2] });
const second = certificateAfter([first], { job, roster: keys });

/** A book over a chain that tests replace, and what it sends. */
function bookOf(journal = new MemoryJournal()) {
  const sent: Thanks[] = [];
  const transport = {
    ...new MemoryNetwork().transport(me.peerId),
    relayOf: (peer: PeerId) => (peer === a.peerId ? c.peerId : undefined),
    publish: async (_: string, message: Uint8Array) => {
      sent.push(readThanks(messageOf(message))!);
    },
  };
  const held = { chain: [] as readonly Certificate[] };
  const book = new ThanksBook({
    ...{ job: job.id, key: me, journal, transport, chain: () => held.chain },
    inBackground: (work) => void work,
  });
  return { book, held, sent, journal };
}

/** The thanks inside a gossip message. */
function messageOf(message: Uint8Array): Uint8Array {
  const gossip = decodeCanonical(gossipCodec, message, LIMITS.controlBytesMax);
  if (gossip.kind !== 'thanks') throw new Error(gossip.kind);
  return gossip.thanks;
}

const thanksOf = (key: Key, certificate: Certificate, sums = 1): Thanks =>
  signThanks(
    {
      certificate: statementHash(certificate.statement),
      services: [{ peer: me.peerId, sums, blobs: 0, relayed: 0 }],
    },
    key,
  );
const signers = async (book: ThanksBook) =>
  (await book.all()).map((bytes) => readThanks(bytes)!.signer).toSorted();
const peers = (...of: readonly Key[]) => of.map(({ peerId }) => peerId).toSorted();

test('what was served is thanked for with the next certificate, its relay too', async () => {
  const { book, held, sent } = bookOf();
  book.counter('sums')(a.peerId, 100);
  book.counter('sums')(a.peerId, 20);
  book.counter('blobs')(b.peerId, 7);
  book.certified();
  expect(sent).toEqual([]);
  held.chain = [first];
  book.certified();
  book.certified();
  expect(sent).toHaveLength(1);
  expect(sent[0]!.services).toEqual([
    { peer: a.peerId, sums: 120, blobs: 0, relayed: 0 },
    { peer: c.peerId, sums: 0, blobs: 0, relayed: 120 },
    { peer: b.peerId, sums: 0, blobs: 7, relayed: 0 },
  ]);
  expect(await signers(book)).toEqual(peers(me));
});

test('a peer that is no survivor thanks when it is one [R-74]', async () => {
  const { book, held, sent } = bookOf();
  held.chain = [certificateAfter([], { job, roster: keys, survivors: [1, 2, 3] })];
  book.counter('blobs')(b.peerId, 7);
  book.certified();
  expect(sent).toEqual([]);
  held.chain = [...held.chain, certificateAfter(held.chain, { job, roster: keys })];
  book.certified();
  expect(sent.map(({ services }) => services[0]!.blobs)).toEqual([7]);
});

test('of others only survivors’ thanks are kept, once their round is there [R-74]', async () => {
  const { book, held } = bookOf();
  book.take(thanksOf(a, first));
  book.take(thanksOf(a, second));
  expect(await signers(book)).toEqual([]);
  held.chain = [first];
  book.certified();
  // c is not in the first sum.
  expect(book.take(thanksOf(c, first))).toBeUndefined();
  expect(book.take(thanksOf(b, first))).toBe(1);
  expect(await signers(book)).toEqual(peers(me, a, b));
  held.chain = [first, second];
  book.certified();
  expect(await signers(book)).toEqual(peers(me, me, a, a, b));
  // What was rolled back is not told.
  held.chain = [first];
  expect(await signers(book)).toEqual(peers(me, a, b));
});

test('of two by one signer the same one stays, in whatever order they come [R-75]', async () => {
  const two = [thanksOf(a, first, 1), thanksOf(a, first, 2)];
  const kept = await Promise.all(
    [two, two.toReversed()].map(async (order) => {
      const { book, held } = bookOf();
      held.chain = [first];
      for (const thanks of order) book.take(thanks);
      return book.all();
    }),
  );
  expect(kept[0]).toHaveLength(1);
  expect(kept[0]).toEqual(kept[1]);
});

/** A chain whose every round all have thanked for, in a book. */
async function thankedChain(rounds: number) {
  const scene = bookOf();
  for (let round = 1; round <= rounds; round++) {
    const next = certificateAfter(scene.held.chain, { job, roster: keys });
    scene.held.chain = [...scene.held.chain, next];
    for (const key of [a, b, c]) scene.book.take(thanksOf(key, next));
    scene.book.certified();
  }
  await scene.book.all();
  return scene;
}

test('of more than a proof takes there are the last rounds, whole', async () => {
  const { book, held } = await thankedChain(3);
  const kept = await book.all(held.chain, 11);
  expect(kept).toHaveLength(8);
  const rounds = new Set(kept.map((bytes) => readThanks(bytes)!.certificate));
  expect([...rounds]).toEqual(held.chain.slice(1).map(({ statement }) => statementHash(statement)));
  expect(await book.all(held.chain.slice(0, 1))).toHaveLength(4);
});

test('an answer begins where it was asked for, and reads nothing before', async () => {
  const { book, held, journal } = await thankedChain(12);
  const read: string[] = [];
  const entries = journal.entries.bind(journal);
  journal.entries = async function* (prefix) {
    for await (const entry of entries(prefix)) {
      read.push(entry[0]);
      yield entry;
    }
  };
  const told = await book.from(9);
  expect(read).toHaveLength(16);
  const rounds = held.chain.slice(8).flatMap(({ statement }) => {
    return keys.map(() => statementHash(statement));
  });
  expect(told.map((bytes) => readThanks(bytes)!.certificate)).toEqual(rounds);
});

test('the first round is asked for of which thanks are missing', async () => {
  const { book, held } = await thankedChain(2);
  expect(await book.firstLacking()).toBe(3);
  const next = certificateAfter(held.chain, { job, roster: keys });
  held.chain = [
    ...held.chain,
    next,
    certificateAfter([...held.chain, next], { job, roster: keys }),
  ];
  book.take(thanksOf(a, next));
  expect(await book.firstLacking()).toBe(3);
});

test('who waits for thanks waits no longer than so, however slowly they come', async () => {
  const { book, held } = await thankedChain(2);
  const next = certificateAfter(held.chain, { job, roster: keys });
  held.chain = [...held.chain, next];
  const timers: (() => void)[] = [];
  const parts = {
    clock: { setTimer: (_: number, expired: () => void) => timers.push(expired) },
    transport: { peers: () => [a.peerId], request: () => new Promise(() => {}) },
  };
  const host = { thanks: book, state: { chain: held.chain } };
  const gathered = gatherThanks(parts as never, job, host as never);
  await until(() => timers.length > 0);
  timers[0]!();
  expect(await gathered).toHaveLength(8);
});

test('peers of a job thank those that served them, and a latecomer finds it all', async () => {
  const swarm = new VirtualSwarm(3);
  for (let i = 0; i < 4; i++) await swarm.add();
  await swarm.pass(1_000);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  const { job: id } = await swarm.run(swarm.peers[0]!.node.launch(virtualManifest(), TEST_MODEL));
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(id)?.phase === 'finished'));
  await swarm.pass(1_000);
  const late = await swarm.add();
  await swarm.until(() => late.node.job(id)?.certificates.length === 2);
  const [here, there] = [
    await swarm.run(swarm.peers[1]!.node.thanks(id)),
    await swarm.run(late.node.thanks(id)),
  ];
  expect(here.length).toBe(8);
  expect(there).toEqual(here);
  const all = here.map((bytes) => readThanks(bytes)!);
  expect(all.some(({ services }) => services.some(({ sums }) => sums > 0))).toBe(true);
});
