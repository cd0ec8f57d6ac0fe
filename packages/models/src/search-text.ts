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

/** Of each field its words, with a blank before and after each: the engine finds text fast. */
export type SearchWords = ReadonlyMap<SearchField, string>;

const spaced = (text: string): string => ` ${wordsOf(text).join(' ')} `;

const kept = new WeakMap<Card, SearchWords>();

/** The words of a card by field; made once for each. */
export function searchWords(card: Card): SearchWords {
  const known = kept.get(card);
  if (known !== undefined) return known;
  const { name, task, summary, tags, data, metrics, licence } = card;
  const made: SearchWords = new Map([
    ['name', spaced(name)],
    ['tag', spaced(tags.join(' '))],
    ['task', spaced(task)],
    ['summary', spaced(summary)],
    ['metric', spaced(metrics.map((metric) => metric.name).join(' '))],
    ['data', spaced(data)],
    ['licence', spaced(licence)],
  ]);
  kept.set(card, made);
  return made;
}
