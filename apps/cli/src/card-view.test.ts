import { expect, test } from 'vitest';
import { CARD } from '../../../packages/control/src/testing/model-handlers.ts';
import { cardFacts, shapeText } from './card-view.ts';

test('a shape as a person writes it', () => {
  expect([[0, 784], [1, 28, 28], []].map(shapeText)).toEqual(['?x784', '1x28x28', 'number']);
});

test('a card says who says so, and leaves out what nobody said', () => {
  const facts = new Map(cardFacts({ ...CARD, deprecated: null }));
  expect(Object.fromEntries(facts)).toMatchObject({
    ...{ model: 'digits@1', 'trained on': 'one two', licence: 'MIT', lineage: 'none' },
    ...{ inputs: 'x: float32 ?x784', accuracy: '0.5, all (certified in round 3)' },
  });
  expect([...facts.keys()]).not.toContain('privacy');
  expect([...facts.keys()]).not.toContain('made from');
  const [metric] = CARD.metrics;
  const claimed = cardFacts({ ...CARD, metrics: [{ ...metric!, certified: null }] });
  expect(claimed).toContainEqual(['accuracy', "0.5, all (the publisher's word)"]);
});

test('a deprecation comes first, with its reason and what to use', () => {
  const { id } = CARD;
  expect(cardFacts(CARD)[0]).toEqual(['DEPRECATED', `old; use ${id}`]);
  const bare = { ...CARD, deprecated: { reason: '', successor: null, at: '' } };
  expect(cardFacts(bare)[0]).toEqual(['DEPRECATED', 'no reason given']);
});
