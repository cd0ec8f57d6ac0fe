import {
  bytes,
  decodeCanonical,
  encodeCanonical,
  type Journal,
  type Log,
  type PeerId,
  ProtocolError,
  struct,
  u32,
} from '@starling/core';
import {
  type CardId,
  type CardStatement,
  MODELS_LIMITS,
  type PublishedCard,
  readCard,
  readStatement,
} from '@starling/protocol-models';
import { BOOK_LIMITS, type BookLimits } from './book-limits.ts';
import { CardShelf, type HeldCard, refused, type Taken } from './card-shelf.ts';

export interface BookParts {
  readonly journal: Journal;
  readonly log: Log;
  readonly self: PeerId;
  /** Id of the private swarm that this peer is in now, or null. */
  readonly swarm: () => string | null;
  /** Why nothing of a peer is taken, as a swarm's membership says it. */
  readonly refusal: (peer: PeerId) => string | undefined;
  readonly limits?: Partial<BookLimits> | undefined;
}

const CARDS = 'models/card/';
const STATEMENTS = 'models/statement/';
const keptCard = struct({ taken: u32(), bytes: bytes(1, MODELS_LIMITS.signedCardBytesMax) });
const KEPT_BYTES_MAX = MODELS_LIMITS.signedCardBytesMax + 64;

/**
 * The cards and statements that this peer holds, on disk. Nothing unsigned comes in, nothing of
 * another swarm, nothing of who is no member; what does not fit goes by `CardShelf`'s rule.
 */
export class CardBook {
  readonly #parts: BookParts;
  readonly #shelf: CardShelf;
  /** Changes reach the disk in their order. */
  #written: Promise<void> = Promise.resolve();

  private constructor(parts: BookParts) {
    this.#parts = parts;
    this.#shelf = new CardShelf(parts.self, { ...BOOK_LIMITS, ...parts.limits });
  }

  static async open(parts: BookParts): Promise<CardBook> {
    const book = new CardBook(parts);
    await book.#load();
    return book;
  }

  /** A card of the swarm that this peer is in now. */
  get(id: CardId): HeldCard | undefined {
    const held = this.#shelf.get(id);
    return held && this.#isOfSwarm(held) ? held : undefined;
  }

  /** All cards of the swarm that this peer is in now, the newest taken first. */
  all(): readonly HeldCard[] {
    return [...this.#shelf.all()]
      .filter((held) => this.#isOfSwarm(held))
      .sort((a, b) => b.taken - a.taken);
  }

  /** Also of swarms that this peer was in before: what was published stays. */
  own(): readonly HeldCard[] {
    const { self } = this.#parts;
    return [...this.#shelf.all()].filter(({ publisher }) => publisher === self);
  }

  /** Resolves when it is on disk. @throws DecodeError on malformed bytes */
  async takeCard(signed: Uint8Array): Promise<Taken> {
    const card = readCard(signed);
    if (card === undefined) return refused('the card is not signed by its publisher');
    const { swarm, refusal } = this.#parts;
    if (card.card.swarm !== swarm()) return refused('the card is of another swarm');
    const reason = refusal(card.publisher);
    if (reason !== undefined) return refused(reason);
    const taken = this.#shelf.nextTaken;
    const verdict = this.#shelf.takeCard(card, taken);
    if (verdict.kind === 'known' || verdict.kind === 'unknown-card') return verdict;
    await this.#write(async () => {
      await this.#drop(verdict.gone);
      if (verdict.kind === 'new') await this.#keepCard(card, taken);
    });
    return verdict;
  }

  /** Resolves when it is on disk. @throws DecodeError on malformed bytes */
  async takeStatement(signed: Uint8Array): Promise<Taken> {
    const statement = readStatement(signed);
    if (statement === undefined) return refused('the statement is not signed by its signer');
    const reason = this.#parts.refusal(statement.signer);
    if (reason !== undefined) return refused(reason);
    const verdict = this.#shelf.takeStatement(statement);
    if (verdict.kind === 'new') await this.#write(() => this.#keepStatement(statement));
    return verdict;
  }

  #isOfSwarm({ card }: HeldCard): boolean {
    return card.swarm === this.#parts.swarm();
  }

  #write(work: () => Promise<void>): Promise<void> {
    const done = this.#written.then(work);
    this.#written = done.catch(() => {});
    return done;
  }

  async #drop(gone: readonly CardId[]): Promise<void> {
    const { journal } = this.#parts;
    for (const each of gone) {
      await journal.deletePrefix(`${CARDS}${each}`);
      await journal.deletePrefix(`${STATEMENTS}${each}/`);
    }
  }

  async #keepCard({ id, bytes: signed }: PublishedCard, taken: number): Promise<void> {
    const value = encodeCanonical(keptCard, { taken, bytes: signed });
    await this.#parts.journal.put(`${CARDS}${id}`, value);
  }

  async #keepStatement(statement: CardStatement): Promise<void> {
    // Another may have come meanwhile, and its card may have gone: what is held now is kept.
    const { card, signer, word } = statement;
    const held = this.#shelf
      .get(card)
      ?.statements.find((each) => each.signer === signer && each.word.kind === word.kind);
    if (held === undefined) return;
    const key = `${STATEMENTS}${card}/${word.kind}/${signer}`;
    await this.#parts.journal.put(key, held.bytes);
  }

  async #load(): Promise<void> {
    const { journal } = this.#parts;
    const cards: { readonly card: PublishedCard; readonly taken: number }[] = [];
    for await (const [key, value] of journal.entries(CARDS)) {
      const card = this.#read(key, () => {
        const kept = decodeCanonical(keptCard, value, KEPT_BYTES_MAX);
        const read = readCard(kept.bytes);
        return read && { card: read, taken: kept.taken };
      });
      if (card !== undefined) cards.push(card);
    }
    for (const { card, taken } of cards.sort((a, b) => a.taken - b.taken)) {
      this.#shelf.takeCard(card, taken);
    }
    for await (const [key, value] of journal.entries(STATEMENTS)) {
      const statement = this.#read(key, () => readStatement(value));
      if (statement !== undefined) this.#shelf.takeStatement(statement);
    }
  }

  /** What the disk spoilt is left out: others have it, too. */
  #read<T>(key: string, read: () => T | undefined): T | undefined {
    try {
      const found = read();
      if (found !== undefined) return found;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    this.#parts.log.warn('a card or statement on disk is damaged and left out', { key });
    return undefined;
  }
}
