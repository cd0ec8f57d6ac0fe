import { type Clock, encodeCanonical, errorMessage, type PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import { createBlobExchange } from '@starling/node';
import {
  MODELS_PROTOCOL,
  type ModelQuery,
  type ModelsGossip,
  modelsAnswerCodec,
  modelsGossipCodec,
  modelsRequestCodec,
  modelsTopic,
  signStatement,
  type Word,
} from '@starling/protocol-models';
import { MemoryBlobStore, MemoryJournal } from '@starling/store';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemorySwarm } from '../../../test/helpers/memory-swarm.ts';
import { realClock, silentLog } from '../../../test/helpers/parts.ts';
import { until } from '../../../test/helpers/until.ts';
import type { BookLimits } from './book-limits.ts';
import { ModelService } from './service.ts';
import type { CardDraft } from './service-parts.ts';
import { cardOfJob, plainCard, published, sized } from './testing/hand-made-card.ts';
import { chainOf, LAUNCHED, modelAfter, proofOf } from './testing/hand-made-job.ts';
import { verifyCard } from './verify-card.ts';

const keyOf = (seed: number): SigningKey => signingKeyFromSeed(new Uint8Array(32).fill(seed + 40));
const MODEL = modelAfter(0.5);
const PROOF = proofOf(chainOf());
const SEARCH = { here: false, deadlineMs: 1_000 };
const query = (change: Partial<ModelQuery> = {}): ModelQuery => ({
  ...{ text: '', tags: [], task: null, input: null, limit: 20 },
  ...change,
});

interface PeerOptions {
  readonly swarm?: string | null;
  readonly refusal?: (peer: PeerId) => string | undefined;
  readonly limits?: Partial<BookLimits>;
  readonly clock?: Clock;
}

/** A peer with its own disk, not connected to anybody. */
async function peerIn(network: MemorySwarm, seed: number, options: PeerOptions = {}) {
  const key = keyOf(seed);
  const { swarm = null, refusal = () => undefined, limits, clock = realClock } = options;
  const [journal, blobs] = [new MemoryJournal(), new MemoryBlobStore()];
  const transport = network.transport(key.peerId);
  const exchange = createBlobExchange({ transport, store: blobs, clock: realClock });
  const fatal: unknown[] = [];
  const service = await ModelService.open({
    ...{ transport, journal, key, blobs, exchange, refusal, limits },
    ...{ log: silentLog, clock, swarm: () => swarm },
    ...{ wallSeconds: () => 1_700_000_000, onFatal: (error) => fatal.push(error) },
    faultOf: async (files) => verifyCard(files).fault,
  });
  service.start();
  onTestFinished(() => {
    service.stop();
    expect(fatal).toEqual([]);
  });
  return { key, id: key.peerId, journal, blobs, service };
}

const draftOf = ({ version: _, ...card }: ReturnType<typeof plainCard>): CardDraft => card;
const fromJob = (name = 'by-hand'): CardDraft => draftOf({ ...cardOfJob(), name });
const names = (outcome: Awaited<ReturnType<ModelService['search']>>) =>
  outcome.found.map(({ held }) => `${held.card.name}@${held.card.version}`);
const holdsOf = (service: ModelService) => service.book.all().length;

describe('publish', () => {
  test('counts versions, keeps the files, and tells those who are connected', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    network.connectAll();
    const first = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    const second = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    expect([first.card.version, second.card.version]).toEqual([1, 2]);
    expect([...a.service.pinned()]).toContain(first.card.blob.hash);
    expect([...a.service.pinned()]).toContain(first.card.proof?.hash);
    await until(() => holdsOf(b.service) === 2, 5_000, 'gossip');
    expect([...b.service.pinned()]).toEqual([]);
  });

  test('publishes nothing that would not verify, and no version twice', async () => {
    const { service } = await peerIn(new MemorySwarm(), 1);
    const other = modelAfter(0.75);
    await expect(service.publish(fromJob(), { model: other, proof: PROOF })).rejects.toThrow(
      "card: the model: the file's SHA-256 is",
    );
    await expect(service.publish(fromJob(), { model: MODEL })).rejects.toThrow(
      /the card names one, and it/,
    );
    const tagged = { ...fromJob(), tags: ['a', 'a'] };
    await expect(service.publish(tagged, { model: MODEL, proof: PROOF })).rejects.toThrow(
      'a tag is there twice',
    );
    expect(holdsOf(service)).toBe(0);
    await service.publish({ ...fromJob(), version: 3 }, { model: MODEL, proof: PROOF });
    await expect(
      service.publish({ ...fromJob(), version: 3 }, { model: MODEL, proof: PROOF }),
    ).rejects.toThrow('you have published by-hand@3 already. Leave the version away for 4');
  });

  test('of a restricted model it keeps and hands out the ciphertext alone', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    network.connectAll();
    const blob = MODEL.map((byte) => byte ^ 255);
    const draft: CardDraft = { ...fromJob(), access: 'restricted', blob: sized(blob) };
    const files = { model: MODEL, proof: PROOF };
    await expect(a.service.publish(draft, files)).rejects.toThrow('card.blob: is not the blob');
    const { card } = await a.service.publish(draft, { ...files, blob });
    expect([...a.service.pinned()]).toEqual([card.blob.hash, card.proof!.hash]);
    expect(await a.blobs.has(card.blob.hash)).toBe(true);
    await until(() => holdsOf(b.service) === 1, 5_000, 'gossip');
    await expect(b.service.fetch('by-hand')).rejects.toThrow('"by-hand" is restricted');
    const [held] = b.service.book.all();
    expect(await b.service.blob(card.blob.hash, held!)).toEqual(blob);
  });

  test('survives a restart, with what others say', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    network.connectAll();
    const { id } = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    await until(() => holdsOf(b.service) === 1, 5_000, 'gossip');
    await b.service.say('by-hand', held());
    await until(() => a.service.book.get(id)?.statements.length === 1, 5_000, 'the vouch');
    const again = await ModelService.open({
      ...{ transport: network.transport(a.id), journal: a.journal, key: a.key, blobs: a.blobs },
      ...{ exchange: { obtain: async () => {} }, log: silentLog, clock: realClock },
      ...{ swarm: () => null, refusal: () => undefined, wallSeconds: () => 0, onFatal: () => {} },
      faultOf: async () => undefined,
    });
    expect(again.book.get(id)).toEqual(a.service.book.get(id));
    expect([...again.pinned()]).toHaveLength(2);
  });
});

const held = (note = ''): Word => ({ kind: 'vouch', what: 'held', metric: null, note });

describe('search and fetch', () => {
  test('one that came later finds it by text, fetches it and verifies it', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    network.connect(a.id, b.id);
    await a.service.publish(fromJob('digits'), { model: MODEL, proof: PROOF });
    await until(() => holdsOf(b.service) === 1, 5_000, 'gossip');
    const late = await peerIn(network, 3);
    network.connect(late.id, b.id);
    const outcome = await late.service.search(query({ text: 'digi' }), SEARCH);
    expect(names(outcome)).toEqual(['digits@1']);
    expect(outcome.asked).toEqual([{ peer: b.id, found: 1, fault: undefined }]);
    expect(outcome.found[0]).toMatchObject({
      ...{ namedBy: [b.id], score: 4, reasons: [{ word: 'digi', field: 'name', points: 4 }] },
    });
    // Only the publisher has the blob: the DHT says so.
    const fetched = await late.service.fetch('digits');
    const card = fetched.held.bytes;
    expect(verifyCard({ card, model: fetched.model, proof: fetched.proof })).toMatchObject({
      ok: true,
    });
  });

  test('a newcomer gets what was published before, without a search', async () => {
    const network = new MemorySwarm();
    const a = await peerIn(network, 1);
    for (let i = 1; i <= 70; i++)
      await a.service.publish(draftOf(plainCard(LAUNCHED)), { model: LAUNCHED });
    const late = await peerIn(network, 2);
    network.connectAll();
    await until(() => holdsOf(late.service) === 70, 5_000, 'the newest');
    const order = (service: ModelService) => service.book.all().map(({ card }) => card.version);
    expect(order(late.service)).toEqual(order(a.service));
  });

  test('what gossip lost comes with a look at one peer after another', async () => {
    const network = new MemorySwarm();
    const timers: (() => void)[] = [];
    const clock: Clock = {
      ...realClock,
      setTimer: (_after, fire) => {
        timers.push(fire);
        return () => {};
      },
    };
    const [a, b, c] = [
      await peerIn(network, 1),
      await peerIn(network, 2),
      await peerIn(network, 3, { clock }),
    ];
    network.connect(c.id, b.id);
    network.connect(c.id, a.id);
    network.deaf.add(c.id);
    await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    expect(holdsOf(c.service)).toBe(0);
    // First the one that has nothing, then the other.
    for (let i = 0; i < 2; i++) timers.shift()!();
    await until(() => holdsOf(c.service) === 1, 5_000, 'the card');
  });

  test('who does not answer in time is told, and holds nobody up', async () => {
    const network = new MemorySwarm();
    const [a, b, c] = [
      ...[await peerIn(network, 1), await peerIn(network, 2), await peerIn(network, 3)],
    ] as const;
    await a!.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    network.onRequest = (_from, to) => (to === b!.id ? new Promise<void>(() => {}) : undefined);
    network.connect(c!.id, a!.id);
    network.connect(c!.id, b!.id);
    const outcome = await c!.service.search(query(), { here: false, deadlineMs: 200 });
    expect(names(outcome)).toEqual(['by-hand@1']);
    expect(outcome.asked).toContainEqual({
      ...{ peer: b!.id, found: 0, fault: 'no answer in 200 ms' },
    });
    expect((await c!.service.search(query(), { here: true, deadlineMs: 0 })).asked).toEqual([]);
  });

  test('by its whole id a card is got from those who announced it', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    const { id } = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    expect((await b.service.fetch(id)).held.id).toBe(id);
    await expect(b.service.fetch('nothing')).rejects.toThrow('no card is called "nothing"');
  });
});

describe('statements', () => {
  test('vouches of many merge, a later one replaces, a withdrawal takes back', async () => {
    const network = new MemorySwarm();
    const peers: Peer[] = [];
    for (let i = 1; i <= 4; i++) peers.push(await peerIn(network, i));
    network.connectAll();
    const [a, b, c, d] = peers as [Peer, Peer, Peer, Peer];
    const { id } = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    await until(() => peers.every(({ service }) => holdsOf(service) === 1), 5_000, 'gossip');
    const metric = { name: 'accuracy', value: 0.9, on: 'my scans' };
    await b.service.say(id, held());
    await c.service.say(id, { kind: 'vouch', what: 'evaluated', metric, note: '' });
    await b.service.say(id, { kind: 'vouch', what: 'verified', metric: null, note: 'all of it' });
    await d.service.say(id, held());
    await d.service.say(id, { kind: 'vouch', what: 'withdrawn', metric: null, note: '' });
    const words = ({ service }: Peer) =>
      service.book
        .get(id)!
        .statements.map(({ signer, word }) => [signer, word.kind === 'vouch' && word.what])
        .toSorted();
    const wanted = [
      [b.id, 'verified'],
      [c.id, 'evaluated'],
      [d.id, 'withdrawn'],
    ].toSorted();
    for (const peer of peers) {
      await until(() => String(words(peer)) === String(wanted), 5_000, 'all statements');
    }
  });

  test('a deprecation is shown to who comes later, and its card comes last', async () => {
    const network = new MemorySwarm();
    const a = await peerIn(network, 1);
    const bad = await a.service.publish(fromJob('digits-best'), { model: MODEL, proof: PROOF });
    const good = await a.service.publish(fromJob('digits'), { model: MODEL, proof: PROOF });
    await a.service.say(bad.id, { kind: 'deprecate', reason: 'leaks', successor: good.id });
    const late = await peerIn(network, 2);
    network.connectAll();
    const outcome = await late.service.search(query({ text: 'digits' }), SEARCH);
    expect(outcome.found.map(({ deprecated }) => deprecated)).toEqual([false, true]);
    expect(names(outcome)).toEqual(['digits@1', 'digits-best@1']);
    await expect(late.service.say(bad.id, { ...deprecation })).rejects.toThrow(
      'only the publisher deprecates',
    );
    await expect(a.service.say(good.id, held())).rejects.toThrow('nobody vouches for its own card');
  });

  test('one about a card that is not here brings the card', async () => {
    const network = new MemorySwarm();
    const [a, b, c] = [
      await peerIn(network, 1),
      await peerIn(network, 2),
      await peerIn(network, 3),
    ];
    network.deaf.add(c.id);
    network.connect(b.id, a.id);
    network.connect(b.id, c.id);
    const { id } = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    await until(() => holdsOf(b.service) === 1, 5_000, 'gossip');
    expect(holdsOf(c.service)).toBe(0);
    network.deaf.clear();
    await b.service.say(id, held());
    await until(() => c.service.book.get(id)?.statements.length === 1, 5_000, 'card and vouch');
  });
});

const deprecation: Word = { kind: 'deprecate', reason: '', successor: null };
type Peer = Awaited<ReturnType<typeof peerIn>>;

describe('hostile peers', () => {
  const told = (network: MemorySwarm, from: PeerId, gossip: ModelsGossip) =>
    network.gossip(from, modelsTopic, encodeCanonical(modelsGossipCodec, gossip));

  test('nothing forged, torn or too large comes in; what is sound does [C-2] [C-5]', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    network.connectAll();
    const { bytes, id } = published(plainCard(LAUNCHED), keyOf(9));
    const forged = bytes.slice();
    forged[forged.length - 1]! ^= 1;
    told(network, a.id, { kind: 'card', card: forged });
    told(network, a.id, { kind: 'card', card: bytes.subarray(2) });
    network.gossip(a.id, modelsTopic, new Uint8Array(70_000));
    network.gossip(a.id, modelsTopic, new Uint8Array(3));
    told(network, a.id, { kind: 'card', card: bytes });
    await until(() => holdsOf(b.service) === 1, 5_000, 'the sound one');
    const body = { card: id, count: 1, at: 0, word: held() };
    const statement = signStatement(body, keyOf(8)).bytes;
    const torn = statement.slice();
    torn[torn.length - 1]! ^= 1;
    told(network, a.id, { kind: 'statement', statement: torn });
    told(network, a.id, { kind: 'statement', statement });
    await until(() => b.service.book.get(id)?.statements.length === 1, 5_000, 'the sound word');
    expect(b.service.book.get(id)?.statements[0]?.signer).toBe(keyOf(8).peerId);
  });

  test('a flood over gossip is cut off, and what others publish still comes [C-9]', async () => {
    const network = new MemorySwarm();
    const [flooder, honest, b] = [
      await peerIn(network, 1),
      await peerIn(network, 2),
      await peerIn(network, 3, { limits: { cardsMax: 10 } }),
    ];
    network.connect(flooder.id, b.id);
    network.connect(honest.id, b.id);
    for (let i = 1; i <= 200; i++) {
      const card = { ...plainCard(LAUNCHED, 'flood'), version: i };
      told(network, flooder.id, { kind: 'card', card: published(card, keyOf(9)).bytes });
    }
    await honest.service.publish(fromJob('digits'), { model: MODEL, proof: PROOF });
    await until(() => b.service.book.all().some(({ card }) => card.name === 'digits'), 5_000);
    expect(holdsOf(b.service)).toBeLessThanOrEqual(10);
  });

  test('who answers with other cards, or with nothing, is believed in nothing [C-10]', async () => {
    const network = new MemorySwarm();
    const a = await peerIn(network, 1);
    const liar = network.transport(keyOf(7).peerId);
    const wanted = published(plainCard(LAUNCHED, 'wanted'), keyOf(9));
    const digest = new Uint8Array(8);
    let requests = 0;
    liar.handle(MODELS_PROTOCOL, async () => {
      requests += 1;
      const marks = [{ id: wanted.id, digest }];
      const answer = requests === 1 ? { kind: 'newest', marks } : { kind: 'cards', cards: [] };
      return {
        header: new Uint8Array(0),
        body: encodeCanonical(modelsAnswerCodec, answer as { kind: 'cards'; cards: [] }),
      };
    });
    network.connectAll();
    await until(() => requests === 2, 5_000, 'both requests');
    const outcome = await a.service.search(query(), SEARCH);
    expect(outcome.found).toEqual([]);
    expect(outcome.asked[0]?.fault).toBe('answered with cards');
  });

  test('who asks too much is told so, and others are still answered', async () => {
    const network = new MemorySwarm();
    const [a, b] = [await peerIn(network, 1), await peerIn(network, 2)];
    const nosy = network.transport(keyOf(7).peerId);
    const body = encodeCanonical(modelsRequestCodec, { kind: 'newest', limit: 1 });
    const ask = () =>
      nosy
        .request(a.id, MODELS_PROTOCOL, { header: new Uint8Array(0), body }, { timeoutMs: 1_000 })
        .then(() => 'answered', errorMessage);
    const answers = await Promise.all(Array.from({ length: 200 }, ask));
    expect(answers.filter((each) => each === 'answered').length).toBeLessThan(200);
    expect(answers.at(-1)).toMatch(/^too many questions about models/);
    await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    network.connect(a.id, b.id);
    expect((await b.service.search(query(), SEARCH)).asked[0]?.fault).toBeUndefined();
  });

  test('of no member nothing comes in, nor of another swarm [C-8]', async () => {
    const network = new MemorySwarm();
    const swarm = 'ab'.repeat(32);
    const stranger = keyOf(9).peerId;
    const refusal = (peer: PeerId) => (peer === stranger ? 'not-a-member: a stranger' : undefined);
    const [a, b] = [
      await peerIn(network, 1, { swarm, refusal }),
      await peerIn(network, 2, { swarm, refusal }),
    ];
    network.connectAll();
    told(network, a.id, {
      kind: 'card',
      card: published({ ...plainCard(LAUNCHED), swarm }, keyOf(9)).bytes,
    });
    told(network, a.id, { kind: 'card', card: published(plainCard(LAUNCHED), keyOf(8)).bytes });
    const { id } = await a.service.publish(fromJob(), { model: MODEL, proof: PROOF });
    await until(() => holdsOf(b.service) > 0, 5_000, 'gossip');
    expect(b.service.book.all().map((each) => each.id)).toEqual([id]);
    const statement = signStatement({ card: id, count: 1, at: 0, word: held() }, keyOf(9)).bytes;
    told(network, a.id, { kind: 'statement', statement });
    await b.service.say(id, held('mine'));
    expect(b.service.book.get(id)?.statements.map(({ signer }) => signer)).toEqual([b.id]);
  });
});
