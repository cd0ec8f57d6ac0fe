import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import { type Card, type ModelQuery, signCard, signStatement } from '@starling/protocol-models';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cardNamed } from './card-name.ts';
import type { HeldCard } from './card-shelf.ts';
import { searchCards, searchInTurns } from './search.ts';
import { wordsOf } from './search-text.ts';
import { plainCard } from './testing/hand-made-card.ts';
import { LAUNCHED } from './testing/hand-made-job.ts';

const [alice, bob] = [1, 2].map((seed) => signingKeyFromSeed(new Uint8Array(32).fill(seed))) as [
  SigningKey,
  SigningKey,
];
const base = plainCard(LAUNCHED);
const heldBy = (key: SigningKey, change: Partial<Card>, isOld = false): HeldCard => {
  const card = signCard(
    { ...base, ...{ summary: '', tags: [], task: '', data: '' }, ...change },
    key,
  );
  const word = { kind: 'deprecate', reason: '', successor: null } as const;
  const statements = isOld ? [signStatement({ card: card.id, count: 1, at: 0, word }, key)] : [];
  return { ...card, taken: 1, statements };
};
const query = (change: Partial<ModelQuery>): ModelQuery => ({
  ...{ text: '', tags: [], task: null, input: null, limit: 64 },
  ...change,
});
const found = (cards: readonly HeldCard[], change: Partial<ModelQuery>) =>
  searchCards(cards, query(change)).map(({ held }) => `${held.card.name}@${held.card.version}`);

test('words are small letters and digits of any script, without accents', () => {
  expect(wordsOf('Café-au-lait, ÉTÉ 2024; école école')).toEqual([
    ...['cafe', 'au', 'lait', 'ete', '2024', 'ecole'],
  ]);
  expect(wordsOf('Цифры 数字')).toEqual(['цифры', '数字']);
});

describe('by text', () => {
  const cards = [
    heldBy(alice, { name: 'digits' }),
    heldBy(alice, { name: 'letters', summary: 'letters, and digits too' }),
    heldBy(alice, { name: 'x-ray', tags: ['chest', 'digits'] }),
    heldBy(alice, { name: 'speech', data: 'spoken digits' }),
    heldBy(alice, { name: 'cats' }),
  ];

  test('the name is worth more than a tag, a tag more than the summary and the data', () => {
    expect(found(cards, { text: 'digits' })).toEqual([
      ...['digits@1', 'x-ray@1', 'letters@1', 'speech@1'],
    ]);
  });

  test('every word must stand somewhere, and says what it was worth', () => {
    expect(found(cards, { text: 'Digits LETTERS' })).toEqual(['letters@1']);
    const [only] = searchCards(cards, query({ text: 'chest digi' }));
    expect(only).toMatchObject({
      score: 7.5,
      reasons: [
        { word: 'chest', field: 'tag', points: 5 },
        { word: 'digi', field: 'tag', points: 2.5 },
      ],
    });
    expect(found(cards, { text: 'digits dogs' })).toEqual([]);
    expect(found(cards, { text: 'd' })).toEqual([]);
  });
});

test('by tags, task, and the shape of an example', () => {
  const value = (...shape: readonly number[]) => [{ name: 'x', type: 'float32' as const, shape }];
  const cards = [
    heldBy(alice, { name: 'flat', inputs: value(0, 784), tags: ['a', 'b'], task: 'MNIST' }),
    heldBy(alice, { name: 'image', inputs: value(0, 1, 28, 28), tags: ['a'], task: 'mnist' }),
    heldBy(alice, { name: 'any-size', inputs: value(0, 3, 0, 0), task: 'cifar' }),
  ];
  expect(found(cards, { tags: ['a'] })).toEqual(['flat@1', 'image@1']);
  expect(found(cards, { tags: ['a', 'b'] })).toEqual(['flat@1']);
  expect(found(cards, { task: 'mnist' })).toEqual(['flat@1', 'image@1']);
  expect(found(cards, { input: [1, 28, 28] })).toEqual(['image@1']);
  expect(found(cards, { input: [0, 1, 28, 28] })).toEqual(['image@1']);
  expect(found(cards, { input: [3, 224, 224] })).toEqual(['any-size@1']);
  expect(found(cards, { input: [0] })).toEqual(['flat@1']);
});

test('what is deprecated or superseded comes last, whatever its score', () => {
  const cards = [
    heldBy(alice, { name: 'digits', version: 3 }, true),
    heldBy(alice, { name: 'digits', version: 1 }),
    heldBy(alice, { name: 'digits', version: 2 }),
    heldBy(bob, { name: 'other', data: 'digits' }),
    heldBy(bob, { name: 'digits', version: 1 }),
    heldBy(bob, { name: 'digits', version: 2 }, true),
  ];
  expect(found(cards, { text: 'digits' })).toEqual([
    // Bob's first version: the one that came after it is not to be used.
    ...['digits@2', 'digits@1', 'other@1', 'digits@1', 'digits@3', 'digits@2'],
  ]);
});

test('in turns it finds the same, and others have theirs meanwhile', async () => {
  const cards = Array.from({ length: 300 }, (_, i) =>
    heldBy(alice, { name: 'digits', version: i + 1 }),
  );
  let turns = 0;
  let isOver = false;
  const others = () => {
    turns += 1;
    if (!isOver) setImmediate(others);
  };
  setImmediate(others);
  const change = query({ text: 'digits' });
  const outcome = await searchInTurns(cards, change);
  isOver = true;
  expect(outcome).toEqual(searchCards(cards, change));
  expect(turns).toBeGreaterThan(1);
});

describe('properties', () => {
  const words = ['digits', 'mnist', 'cnn', 'chest', 'speech'];
  const cards = fc
    .uniqueArray(
      fc.record({
        name: fc.constantFrom('a', 'b', 'digits'),
        version: fc.integer({ min: 1, max: 9 }),
        tags: fc.uniqueArray(fc.constantFrom(...words), { maxLength: 3 }),
        summary: fc.array(fc.constantFrom(...words), { maxLength: 3 }).map((all) => all.join(' ')),
      }),
      { selector: ({ name, version }) => `${name}/${version}`, maxLength: 8 },
    )
    .map((all) => all.map((each) => heldBy(alice, each)));
  const text = fc.array(fc.constantFrom(...words, 'dig', 'zebra'), { maxLength: 3 });

  test('the order in which cards are held does not matter', () => {
    fc.assert(
      fc.property(cards, text, (held, asked) => {
        const change = { text: asked.join(' ') };
        expect(found(held.toReversed(), change)).toEqual(found(held, change));
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test('the score is the sum of its reasons, and one more word never finds more', () => {
    fc.assert(
      fc.property(cards, text, fc.constantFrom(...words), (held, asked, more) => {
        const few = searchCards(held, query({ text: asked.join(' ') }));
        for (const { score, reasons } of few) {
          expect(reasons.map(({ word }) => word)).toEqual([...new Set(asked)]);
          expect(score).toBe(reasons.reduce((sum, { points }) => sum + points, 0));
        }
        const fewer = searchCards(held, query({ text: [...asked, more].join(' ') }));
        const ids = new Set(few.map((each) => each.held.id));
        expect(fewer.every((each) => ids.has(each.held.id))).toBe(true);
        expect(searchCards(held, query({ limit: 2 })).length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 60, seed: 2 },
    );
  });
});

describe('a card that a person names', () => {
  const cards = [
    heldBy(alice, { name: 'digits', version: 1 }),
    heldBy(alice, { name: 'digits', version: 2 }),
    heldBy(alice, { name: 'digits', version: 3 }, true),
    heldBy(alice, { name: 'beef' }),
    heldBy(alice, { name: 'gone' }, true),
    heldBy(bob, { name: 'shared' }),
    heldBy(alice, { name: 'shared' }),
  ];
  const named = (wanted: string) => cardNamed(cards, wanted).card;

  test('by its name, the latest version; by name and version; by the beginning of its id', () => {
    expect(named('digits').version).toBe(2);
    expect(named('digits@1').version).toBe(1);
    expect(named('digits@3').version).toBe(3);
    expect(named('gone').version).toBe(1);
    expect(named('beef').name).toBe('beef');
    expect(cardNamed(cards, cards[5]!.id.slice(0, 12)).publisher).toBe(bob.peerId);
  });

  test('a name like the id of another card stands for neither', () => {
    const { id } = cards[0]!;
    const imitations = [id, id.slice(0, 12)].map((name) => heldBy(bob, { name }));
    expect(cardNamed([...imitations, ...cards], id).id).toBe(id);
    expect(() => cardNamed([...imitations, ...cards], id.slice(0, 12))).toThrow('more than one');
  });

  test('not by a name that two publishers use, nor by one that is not there', () => {
    expect(() => named('shared')).toThrow(/more than one card is called "shared": \w{12} by /);
    expect(() => named('digits@7')).toThrow(
      'no card is called "digits@7". `starling model search`',
    );
  });
});
