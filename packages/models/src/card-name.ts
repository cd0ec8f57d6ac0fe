import { ConfigError } from '@starling/core';
import type { HeldCard } from './card-shelf.ts';
import { isDeprecated } from './search.ts';

/** Digits of an id that are enough to be taken for the beginning of one. */
const PREFIX = /^[0-9a-f]{4,64}$/;

/**
 * The card that a person means by an id, the beginning of one, `NAME@VERSION`, or `NAME` for the
 * latest version that is not deprecated. A name that is also the beginning of another card's id is
 * ambiguous: else somebody could take the place of a card by calling his own like its id.
 * @throws ConfigError when there is none, or more than one
 */
export function cardNamed(cards: readonly HeldCard[], wanted: string): HeldCard {
  const whole = cards.find(({ id }) => id === wanted);
  if (whole !== undefined) return whole;
  const byId = PREFIX.test(wanted) ? cards.filter(({ id }) => id.startsWith(wanted)) : [];
  const found = [...new Set([...latest(cards.filter((held) => isCalled(held, wanted))), ...byId])];
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    const hint = '`starling model search` lists what is known, and asks others';
    throw new ConfigError('card', `no card is called "${wanted}"`, hint);
  }
  const all = found.map(({ id, publisher }) => `${id.slice(0, 12)} by ${publisher}`).join(', ');
  const hint = 'Name one by the beginning of its id';
  throw new ConfigError('card', `more than one card is called "${wanted}": ${all}`, hint);
}

const isCalled = ({ card: { name, version } }: HeldCard, wanted: string): boolean =>
  wanted === name || wanted === `${name}@${version}`;

function isBetter(a: HeldCard, b: HeldCard): boolean {
  const [first, second] = [isDeprecated(a), isDeprecated(b)];
  return first === second ? a.card.version > b.card.version : second;
}

/** Of each publisher the latest version, one that is deprecated only where there is no other. */
function latest(cards: readonly HeldCard[]): readonly HeldCard[] {
  const found = new Map<string, HeldCard>();
  for (const held of cards) {
    const other = found.get(held.publisher);
    if (other === undefined || isBetter(held, other)) {
      found.set(held.publisher, held);
    }
  }
  return [...found.values()];
}
