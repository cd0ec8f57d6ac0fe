import { compareText } from '@starling/core';
import type { ModelQuery, ModelValue } from '@starling/protocol-models';
import type { HeldCard } from './card-shelf.ts';
import { FIELD_POINTS, type SearchField, searchWords, wordsOf } from './search-text.ts';

/** Why a card was found: a word of the query, where it stands, and what that is worth. */
export interface Reason {
  readonly word: string;
  readonly field: SearchField;
  readonly points: number;
}

export interface Found {
  readonly held: HeldCard;
  /** Sum of the reasons' points; 0 for a query without text. */
  readonly score: number;
  readonly reasons: readonly Reason[];
  readonly deprecated: boolean;
  /** There is a later version of the same publisher and name that is not deprecated. */
  readonly superseded: boolean;
}

/** A word that only begins like the one asked for is worth less. */
const PREFIX_PART = 0.5;
/** Letters of the shortest beginning that counts. */
const PREFIX_MIN = 2;

/**
 * Cards that answer a query, the best first: every word must stand in a card, each counts in its
 * best field. What is deprecated, or has a later version, comes last, whatever its score. A pure
 * function of the cards and the query: the same ones give the same answer everywhere.
 */
export function searchCards(cards: readonly HeldCard[], query: ModelQuery): readonly Found[] {
  const words = wordsOf(query.text);
  const newest = newestVersions(cards);
  const found = cards.flatMap((held): readonly Found[] => {
    if (!fits(held, query)) return [];
    const reasons: readonly (Reason | undefined)[] = words.map((word) => reasonFor(word, held));
    if (!isComplete(reasons)) return [];
    return [
      {
        ...{ held, reasons, score: reasons.reduce((sum, { points }) => sum + points, 0) },
        deprecated: isDeprecated(held),
        superseded: (newest.get(seriesOf(held)) ?? 0) > held.card.version,
      },
    ];
  });
  return found.sort(byRank).slice(0, query.limit);
}

const isComplete = (reasons: readonly (Reason | undefined)[]): reasons is readonly Reason[] =>
  reasons.every((reason) => reason !== undefined);

/** Whether its publisher says that it is not to be used any more. */
export const isDeprecated = ({ statements }: HeldCard): boolean =>
  statements.some(({ word }) => word.kind === 'deprecate');

const seriesOf = ({ publisher, card }: HeldCard): string => `${publisher}/${card.name}`;

function newestVersions(cards: readonly HeldCard[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const held of cards) {
    if (isDeprecated(held)) continue;
    const series = seriesOf(held);
    newest.set(series, Math.max(newest.get(series) ?? 0, held.card.version));
  }
  return newest;
}

function byRank(a: Found, b: Found): number {
  const last = (found: Found): number => (found.deprecated ? 2 : found.superseded ? 1 : 0);
  return (
    last(a) - last(b) ||
    b.score - a.score ||
    compareText(a.held.card.name, b.held.card.name) ||
    b.held.card.version - a.held.card.version ||
    compareText(a.held.id, b.held.id)
  );
}

/** The best place of a word in a card; undefined when it stands nowhere. */
function reasonFor(word: string, { card }: HeldCard): Reason | undefined {
  let best: Reason | undefined;
  for (const [field, words] of searchWords(card)) {
    const full = FIELD_POINTS[field];
    const isBeginning = word.length >= PREFIX_MIN && words.some((each) => each.startsWith(word));
    const points = words.includes(word) ? full : isBeginning ? full * PREFIX_PART : 0;
    if (points > (best?.points ?? 0)) best = { word, field, points };
  }
  return best;
}

function fits({ card }: HeldCard, { tags, task, input }: ModelQuery): boolean {
  if (!tags.every((tag) => card.tags.includes(tag))) return false;
  if (task !== null && task.toLowerCase() !== card.task.toLowerCase()) return false;
  return input === null || card.inputs.some((value) => takes(value, input));
}

/**
 * Whether an input takes examples of `shape`: with its own batch dimension named or left out, and
 * with 0 on either side for a size that may be any.
 */
export function takes({ shape: own }: ModelValue, shape: readonly number[]): boolean {
  const isSame = (a: readonly number[]) =>
    a.length === shape.length &&
    a.every((size, i) => size === 0 || shape[i] === 0 || size === shape[i]);
  return isSame(own) || (own.length > 0 && isSame(own.slice(1)));
}
