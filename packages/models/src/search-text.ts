import type { Card } from '@starling/protocol-models';

/** Fields of a card that a search reads, with what a word in them is worth. */
export const FIELD_POINTS = {
  name: 8,
  tag: 5,
  task: 4,
  summary: 2,
  metric: 2,
  data: 1,
  licence: 1,
} as const;
export type SearchField = keyof typeof FIELD_POINTS;

/** Words in small letters without accents: `Café-2` is `cafe` and `2`. */
export function wordsOf(text: string): readonly string[] {
  const plain = text
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .toLowerCase();
  return [...new Set(plain.match(/[\p{L}\p{N}]+/gu) ?? [])];
}

export type SearchWords = ReadonlyMap<SearchField, readonly string[]>;

const kept = new WeakMap<Card, SearchWords>();

/** The words of a card by field; made once for each. */
export function searchWords(card: Card): SearchWords {
  const known = kept.get(card);
  if (known !== undefined) return known;
  const { name, task, summary, tags, data, metrics, licence } = card;
  const made: SearchWords = new Map([
    ['name', wordsOf(name)],
    ['tag', wordsOf(tags.join(' '))],
    ['task', wordsOf(task)],
    ['summary', wordsOf(summary)],
    ['metric', wordsOf(metrics.map((metric) => metric.name).join(' '))],
    ['data', wordsOf(data)],
    ['licence', wordsOf(licence)],
  ]);
  kept.set(card, made);
  return made;
}
