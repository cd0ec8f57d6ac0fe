import { setImmediate as turn } from 'node:timers/promises';
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
/** Words of a query that count; the rest is left out. */
export const QUERY_WORDS_MAX = 16;

/**
 * Cards that answer a query, the best first: every word must stand in a card, each counts in its
 * best field. What is deprecated, or has a later version, comes last, whatever its score. A pure
 * function of the cards and the query: the same ones give the same answer everywhere.
 */
export function searchCards(cards: readonly HeldCard[], query: ModelQuery): readonly Found[] {
  const { take, ranked } = searching(cards, query);
  for (const held of cards) take(held);
  return ranked();
}

/** Cards of one turn: with the longest texts they take some 10 ms. */
const TURN_CARDS = 128;

/** The same without holding up the loop: others go on after each few cards. */
export async function searchInTurns(
  cards: readonly HeldCard[],
  query: ModelQuery,
): Promise<readonly Found[]> {
  const { take, ranked } = searching(cards, query);
  for (const [i, held] of cards.entries()) {
    if (i > 0 && i % TURN_CARDS === 0) await turn();
    take(held);
  }
  return ranked();
}

/** A search card by card. */
function searching(cards: readonly HeldCard[], query: ModelQuery) {
  const words = wordsOf(query.text).slice(0, QUERY_WORDS_MAX);
  const newest = newestVersions(cards);
  const found: Found[] = [];
  return {
    take: (held: HeldCard): void => {
      const reasons = fits(held, query) ? reasonsFor(words, held) : undefined;
      if (reasons === undefined) return;
      found.push({
        ...{ held, reasons, score: reasons.reduce((sum, { points }) => sum + points, 0) },
        deprecated: isDeprecated(held),
        superseded: (newest.get(seriesOf(held)) ?? 0) > held.card.version,
      });
    },
    ranked: (): readonly Found[] => found.sort(byRank).slice(0, query.limit),
  };
}

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

/** Of each word its best place in a card; undefined when one stands nowhere. */
function reasonsFor(words: readonly string[], held: HeldCard): readonly Reason[] | undefined {
  const reasons: Reason[] = [];
  for (const word of words) {
    const reason = reasonFor(word, held);
    if (reason === undefined) return undefined;
    reasons.push(reason);
  }
  return reasons;
}

function reasonFor(word: string, { card }: HeldCard): Reason | undefined {
  let best: Reason | undefined;
  for (const [field, text] of searchWords(card)) {
    const full = FIELD_POINTS[field];
    // Fields come by their worth: what follows cannot be better.
    if (best !== undefined && best.points >= full) break;
    const isBeginning = text.includes(` ${word}`);
    if (!isBeginning) continue;
    const isWhole = text.includes(` ${word} `);
    if (!isWhole && word.length < PREFIX_MIN) continue;
    const points = isWhole ? full : full * PREFIX_PART;
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
