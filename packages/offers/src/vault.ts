import type { Journal } from '@starling/core';
import { type AccessToken, type CardId, readToken, serialOf } from '@starling/protocol-models';

const KEYS = 'offers/key/';
const TOKENS = 'offers/token/';
const SALES = 'offers/sale/';

/** Keys of restricted models and tokens, on disk. */
export class Vault {
  readonly #journal: Journal;
  readonly #tokens = new Map<string, AccessToken>();

  private constructor(journal: Journal) {
    this.#journal = journal;
  }

  static async open(journal: Journal): Promise<Vault> {
    const vault = new Vault(journal);
    for await (const [, bytes] of journal.entries(TOKENS)) {
      const token = readToken(bytes);
      if (token !== undefined) vault.#tokens.set(placeOf(token), token);
    }
    return vault;
  }

  key(card: CardId): Promise<Uint8Array | undefined> {
    return this.#journal.get(KEYS + card);
  }

  async keepKey(card: CardId, key: Uint8Array): Promise<void> {
    await this.#journal.put(KEYS + card, key);
  }

  /** Tokens that this peer has signed, holds or was shown, by card. */
  tokens(card: CardId): readonly AccessToken[] {
    return [...this.#tokens.values()].filter((token) => token.card === card);
  }

  async keepToken(token: AccessToken): Promise<void> {
    await this.#journal.put(TOKENS + placeOf(token), token.bytes);
    this.#tokens.set(placeOf(token), token);
  }

  async dropTokens(tokens: readonly AccessToken[]): Promise<void> {
    for (const token of tokens) {
      await this.#journal.deletePrefix(TOKENS + placeOf(token));
      this.#tokens.delete(placeOf(token));
    }
  }

  /** What a payment has bought: kept before it is booked, so that no crash sells twice. */
  async saleOf(payment: string): Promise<AccessToken | undefined> {
    const bytes = await this.#journal.get(SALES + payment);
    return bytes && readToken(bytes);
  }

  async keepSale(payment: string, token: AccessToken): Promise<void> {
    await this.#journal.put(SALES + payment, token.bytes);
  }
}

const placeOf = (token: AccessToken): string => `${token.card}/${serialOf(token)}`;
