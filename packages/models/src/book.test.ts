import { compareText, type PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  type Card,
  type PublishedCard,
  signCard,
  signStatement,
  type Word,
} from '@starling/protocol-models';
import { MemoryJournal } from '@starling/store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../test/helpers/parts.ts';
import { CardBook } from './book.ts';
import type { BookLimits } from './book-limits.ts';
import { plainCard } from './testing/hand-made-card.ts';
import { LAUNCHED } from './testing/hand-made-job.ts';

const keys = [1, 2, 3, 4, 5].map((seed) => signingKeyFromSeed(new Uint8Array(32).fill(seed)));
const [self, alice, bob, carol] = keys as [SigningKey, SigningKey, SigningKey, SigningKey];
const base = plainCard(LAUNCHED);
const cardBy = (
  key: SigningKey,
  version: number,
  { name = 'm', published = version, data = '' }: Partial<Card> = {},
): PublishedCard => signCard({ ...base, name, version, published, data }, key);
const vouch: Word = { kind: 'vouch', what: 'held', metric: null, note: '' };

const open = (limits: Partial<BookLimits> = {}, journal = new MemoryJournal()) =>
  CardBook.open({
    ...{ journal, log: silentLog, self: self.peerId, limits },
    ...{ swarm: () => null, refusal: () => undefined },
  });
async function filled(limits: Partial<BookLimits>, cards: readonly PublishedCard[]) {
  const journal = new MemoryJournal();
  const book = await open(limits, journal);
  for (const { bytes } of cards) await book.takeCard(bytes);
  return { book, journal };
}
const versionsOf = (book: CardBook, { peerId }: SigningKey) =>
  book
    .all()
    .filter(({ publisher }) => publisher === peerId)
    .map(({ card }) => card.version)
    .toSorted((a, b) => a - b);

describe('of one publisher, name and version there is one card [C-4]', () => {
  test('the same whichever came first', async () => {
    const rivals = [0, 1].map((published) => cardBy(alice, 1, { published }));
    const lower = rivals.map(({ id }) => id).toSorted(compareText)[0];
    for (const order of [rivals, rivals.toReversed()]) {
      const { book, journal } = await filled({}, order);
      expect(book.all().map(({ id }) => id)).toEqual([lower]);
      const again = await open({}, journal);
      expect(again.all().map(({ id }) => id)).toEqual([lower]);
    }
  });
});

describe('what goes first [C-9]', () => {
  test('of a publisher with too many, what it published first', async () => {
    const cards = [3, 1, 4, 2, 5].map((version) => cardBy(alice, version));
    const { book } = await filled({ cardsPerPublisherMax: 3 }, [...cards, cardBy(bob, 1)]);
    expect(versionsOf(book, alice)).toEqual([3, 4, 5]);
    expect(versionsOf(book, bob)).toEqual([1]);
    // What went does not come back with the next peer that still has it.
    expect(await book.takeCard(cards[1]!.bytes)).toMatchObject({ kind: 'refused' });
    expect(versionsOf(book, alice)).toEqual([3, 4, 5]);
  });

  test('of the publisher with the most: a flood costs who floods', async () => {
    const flood = Array.from({ length: 20 }, (_, i) => cardBy(alice, i + 1));
    const { book } = await filled({ cardsMax: 6 }, [
      ...[cardBy(bob, 1), cardBy(bob, 2), cardBy(carol, 1)],
      ...flood,
    ]);
    expect(versionsOf(book, bob)).toEqual([1, 2]);
    expect(versionsOf(book, carol)).toEqual([1]);
    expect(versionsOf(book, alice)).toEqual([18, 19, 20]);
  });

  test('among equals who came last; room is counted in bytes, too', async () => {
    const one = cardBy(alice, 1);
    const { book } = await filled({ cardBytesMax: 2 * one.bytes.length + 10 }, [
      ...[one, cardBy(bob, 1), cardBy(carol, 1)],
    ]);
    expect(book.all().map(({ publisher }) => publisher)).toEqual([bob.peerId, alice.peerId]);
  });

  test('own cards and statements never', async () => {
    const own = Array.from({ length: 9 }, (_, i) => cardBy(self, i + 1));
    const { book } = await filled({ cardsMax: 2, cardsPerPublisherMax: 1, cardBytesMax: 10 }, own);
    expect(versionsOf(book, self)).toHaveLength(9);
    expect(await book.takeCard(cardBy(alice, 1).bytes)).toMatchObject({ kind: 'refused' });
    const { book: full } = await filled({ vouchesPerCardMax: 1, statementsPerSignerMax: 0 }, [
      cardBy(alice, 1),
    ]);
    const { id } = cardBy(alice, 1);
    const word = (key: SigningKey) =>
      signStatement({ card: id, count: 1, at: 0, word: vouch }, key).bytes;
    expect(await full.takeStatement(word(bob))).toMatchObject({ kind: 'refused' });
    expect(await full.takeStatement(word(self))).toMatchObject({ kind: 'new' });
  });

  test('vouches beyond the limit are refused, the publisher is still heard', async () => {
    const card = cardBy(alice, 1);
    const { book } = await filled({ vouchesPerCardMax: 1 }, [card]);
    const say = (word: Word, key: SigningKey, count = 1) =>
      book.takeStatement(signStatement({ card: card.id, count, at: 0, word }, key).bytes);
    expect((await say(vouch, bob)).kind).toBe('new');
    expect((await say(vouch, carol)).kind).toBe('refused');
    expect((await say({ ...vouch, what: 'withdrawn' }, bob, 2)).kind).toBe('new');
    const deprecate: Word = { kind: 'deprecate', reason: '', successor: null };
    expect((await say(deprecate, alice)).kind).toBe('new');
    expect(book.get(card.id)?.statements).toHaveLength(2);
  });
});

describe('properties', () => {
  const made = new Map<string, PublishedCard>();
  const card = (publisher: number, version: number, published: number): PublishedCard => {
    const name = `${publisher}/${version}/${published}`;
    // Of two in one place the later one is longer: it may not fit where the other did.
    const data = 'x'.repeat(published * 800);
    const known = made.get(name) ?? cardBy(keys[publisher]!, version, { published, data });
    made.set(name, known);
    return known;
  };
  const cards = fc.array(
    fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 6 }), fc.nat(1))
      .map(([publisher, version, published]) => card(publisher, version, published)),
    { maxLength: 20 },
  );

  test('whatever comes, the limits hold, and the disk holds what memory does', async () => {
    const limits = { cardsMax: 7, cardsPerPublisherMax: 4, cardBytesMax: 6_000 };
    await fc.assert(
      fc.asyncProperty(cards, async (given) => {
        const { book, journal } = await filled(limits, given);
        expect(book.all().length).toBeLessThanOrEqual(7);
        const bytes = book.all().reduce((sum, each) => sum + each.bytes.length, 0);
        expect(bytes).toBeLessThanOrEqual(6_000);
        for (const key of keys) expect(versionsOf(book, key).length).toBeLessThanOrEqual(4);
        const again = await open(limits, journal);
        expect(again.all()).toEqual(book.all());
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('without a limit in the way, the order in which cards came does not matter', async () => {
    await fc.assert(
      fc.asyncProperty(cards, async (given) => {
        const ids = ({ book }: { book: CardBook }) =>
          book
            .all()
            .map(({ id }) => id)
            .toSorted();
        expect(ids(await filled({}, given))).toEqual(ids(await filled({}, given.toReversed())));
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  test('statements come out the same in every order [C-7]', async () => {
    const about = cardBy(alice, 1);
    const word = fc.constantFrom<Word>(vouch, { ...vouch, what: 'withdrawn' });
    const statements = fc.array(
      fc
        .tuple(fc.constantFrom(bob, carol), fc.nat(3), word)
        .map(([key, count, said]) =>
          signStatement({ card: about.id, count, at: 0, word: said }, key),
        ),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(statements, async (given) => {
        const outcome = async (order: typeof given) => {
          const { book } = await filled({}, [about]);
          for (const { bytes } of order) await book.takeStatement(bytes);
          return book
            .get(about.id)!
            .statements.map(({ hash }) => hash)
            .toSorted();
        };
        expect(await outcome(given)).toEqual(await outcome(given.toReversed()));
      }),
      { numRuns: 40, seed: 3 },
    );
  });
});

test('what the disk spoilt is left out, and the rest is there', async () => {
  const { journal } = await filled({}, [cardBy(alice, 1), cardBy(bob, 1)]);
  await journal.put(`models/card/${cardBy(alice, 1).id}`, new Uint8Array(9));
  const book = await open({}, journal);
  expect(book.all().map(({ publisher }) => publisher)).toEqual([bob.peerId]);
});

test('who leaves a swarm takes no card of it to the next', async () => {
  let swarm: string | null = 'ab'.repeat(32);
  const book = await CardBook.open({
    ...{ journal: new MemoryJournal(), log: silentLog, self: self.peerId },
    ...{ swarm: () => swarm, refusal: (_: PeerId) => undefined },
  });
  const secret = signCard({ ...base, swarm }, alice);
  await book.takeCard(secret.bytes);
  expect(book.all()).toHaveLength(1);
  swarm = null;
  expect([book.all(), book.get(secret.id)]).toEqual([[], undefined]);
});
