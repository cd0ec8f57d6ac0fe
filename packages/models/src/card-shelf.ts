import { compareText, type PeerId } from '@starling/core';
import {
  type CardId,
  type CardStatement,
  cardPlaceOf,
  isNewerStatement,
  type PublishedCard,
  statementFault,
  statementPlaceOf,
} from '@starling/protocol-models';
import type { BookLimits } from './book-limits.ts';

/** A card, and what is said about it. */
export interface HeldCard extends PublishedCard {
  /** Greater for what came later. */
  readonly taken: number;
  readonly statements: readonly CardStatement[];
}

/** What became of something new; `gone` names cards that went for it, on disk not yet. */
export type Taken =
  | { readonly kind: 'new'; readonly gone: readonly CardId[] }
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly reason: string; readonly gone: readonly CardId[] }
  /** A statement whose card is not held: it may be asked for. */
  | { readonly kind: 'unknown-card'; readonly card: CardId };

export const refused = (reason: string, gone: readonly CardId[] = []): Taken => ({
  ...{ kind: 'refused', reason, gone },
});

interface Entry {
  readonly card: PublishedCard;
  readonly taken: number;
  readonly statements: Map<string, CardStatement>;
  /** What others see of it; the same object until a statement changes. */
  held?: HeldCard | undefined;
}

/**
 * Cards and statements in memory, within limits. What goes first follows from what is held, so that
 * a flood costs its own publisher: of the publisher with the most cards the one published first;
 * among publishers with equally many the one that came last. Own ones never go.
 */
export class CardShelf {
  readonly #self: PeerId;
  readonly #limits: BookLimits;
  readonly #entries = new Map<CardId, Entry>();
  readonly #places = new Map<string, CardId>();
  readonly #byPublisher = new Map<PeerId, Set<CardId>>();
  readonly #bySigner = new Map<PeerId, number>();
  #bytes = 0;
  #taken = 0;

  constructor(self: PeerId, limits: BookLimits) {
    this.#self = self;
    this.#limits = limits;
  }

  /** Greater than that of any card held. */
  get nextTaken(): number {
    return this.#taken + 1;
  }

  get(id: CardId): HeldCard | undefined {
    const entry = this.#entries.get(id);
    return entry && heldOf(entry);
  }

  *all(): Iterable<HeldCard> {
    for (const entry of this.#entries.values()) yield heldOf(entry);
  }

  /** @param taken of a card that was held before, in another run */
  takeCard(card: PublishedCard, taken = this.nextTaken): Taken {
    if (this.#entries.has(card.id)) return { kind: 'known' };
    const gone: CardId[] = [];
    const rival = this.#places.get(cardPlaceOf(card));
    if (rival !== undefined) {
      if (compareText(rival, card.id) < 0) return refused('another card has its name and version');
      this.#remove(rival);
      gone.push(rival);
    }
    this.#add({ card, taken, statements: new Map() });
    for (let victim = this.#victim(card); victim !== undefined; victim = this.#victim(card)) {
      this.#remove(victim);
      if (victim === card.id) return refused('there is no room for more cards', gone);
      gone.push(victim);
    }
    return { kind: 'new', gone };
  }

  takeStatement(statement: CardStatement): Taken {
    const entry = this.#entries.get(statement.card);
    if (entry === undefined) return { kind: 'unknown-card', card: statement.card };
    const fault = statementFault(statement, entry.card);
    if (fault !== undefined) return refused(fault);
    const place = statementPlaceOf(statement);
    const before = entry.statements.get(place);
    if (before !== undefined) {
      if (!isNewerStatement(statement, before)) return { kind: 'known' };
      entry.statements.set(place, statement);
      entry.held = undefined;
      return { kind: 'new', gone: [] };
    }
    if (this.#isFull(entry, statement)) return refused('there is no room for more statements');
    entry.statements.set(place, statement);
    entry.held = undefined;
    this.#count(statement.signer, 1);
    return { kind: 'new', gone: [] };
  }

  #isFull({ statements }: Entry, { signer, word }: CardStatement): boolean {
    if (signer === this.#self) return false;
    if ((this.#bySigner.get(signer) ?? 0) >= this.#limits.statementsPerSignerMax) return true;
    if (word.kind !== 'vouch') return false;
    const vouches = [...statements.values()].filter((each) => each.word.kind === 'vouch');
    return vouches.length >= this.#limits.vouchesPerCardMax;
  }

  /** A card that must go now that `latest` is there, or undefined. */
  #victim(latest: PublishedCard): CardId | undefined {
    const { cardsMax, cardBytesMax, cardsPerPublisherMax } = this.#limits;
    const own = this.#byPublisher.get(this.#self)?.size ?? 0;
    const { publisher } = latest;
    const count = this.#byPublisher.get(publisher)?.size ?? 0;
    if (publisher !== this.#self && count > cardsPerPublisherMax) return this.#first(publisher);
    const isOver = this.#entries.size - own > cardsMax || this.#bytes > cardBytesMax;
    if (!isOver) return undefined;
    const crowd = this.#greatestPublisher();
    return crowd && this.#first(crowd);
  }

  #greatestPublisher(): PeerId | undefined {
    let found:
      | { readonly publisher: PeerId; readonly size: number; readonly last: number }
      | undefined;
    for (const [publisher, ids] of this.#byPublisher) {
      if (publisher === this.#self || ids.size < (found?.size ?? 1)) continue;
      const last = Math.max(...[...ids].map((id) => this.#entries.get(id)!.taken));
      if (found === undefined || ids.size > found.size || last > found.last) {
        found = { publisher, size: ids.size, last };
      }
    }
    return found?.publisher;
  }

  /** What a publisher itself calls its oldest card: its clock decides about nobody else's. */
  #first(publisher: PeerId): CardId {
    const [first] = [...this.#byPublisher.get(publisher)!]
      .map((id) => this.#entries.get(id)!.card)
      .sort((a, b) => a.card.published - b.card.published || compareText(a.id, b.id));
    return first!.id;
  }

  #add(entry: Entry): void {
    const { card, taken } = entry;
    this.#entries.set(card.id, entry);
    this.#places.set(cardPlaceOf(card), card.id);
    const ids = this.#byPublisher.get(card.publisher) ?? new Set();
    this.#byPublisher.set(card.publisher, ids.add(card.id));
    if (card.publisher !== this.#self) this.#bytes += card.bytes.length;
    this.#taken = Math.max(this.#taken, taken);
  }

  #remove(id: CardId): void {
    const { card, statements } = this.#entries.get(id)!;
    this.#entries.delete(id);
    this.#places.delete(cardPlaceOf(card));
    const ids = this.#byPublisher.get(card.publisher)!;
    ids.delete(id);
    if (ids.size === 0) this.#byPublisher.delete(card.publisher);
    if (card.publisher !== this.#self) this.#bytes -= card.bytes.length;
    for (const { signer } of statements.values()) this.#count(signer, -1);
  }

  #count(signer: PeerId, change: number): void {
    const count = (this.#bySigner.get(signer) ?? 0) + change;
    if (count === 0) this.#bySigner.delete(signer);
    else this.#bySigner.set(signer, count);
  }
}

function heldOf(entry: Entry): HeldCard {
  const { card, taken, statements } = entry;
  entry.held ??= { ...card, taken, statements: [...statements.values()] };
  return entry.held;
}
