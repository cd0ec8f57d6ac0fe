import {
  ConfigError,
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  type Log,
  type Parcel,
  type PeerId,
  ProtocolError,
  type Random,
  type Transport,
  toHex,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import {
  type AccessToken,
  type CardId,
  type CardStatement,
  isPlainLine,
  MODELS_LIMITS,
  OFFERS_PROTOCOL,
  type OffersAnswer,
  type OffersRequest,
  offersAnswerCodec,
  offersRequestCodec,
  type PublishedCard,
  readToken,
  serialOf,
  signToken,
  type TokenSerial,
  tokenFault,
  type Word,
  type WordOf,
} from '@starling/protocol-models';
import type { Acquittals } from './acquittals.ts';
import { askOffers, DECLINED } from './ask-offers.ts';
import { MODEL_KEY_BYTES, openModel, sealModel } from './sealed-model.ts';
import type { Order, Purchase, Settlement } from './settlement.ts';
import type { Vault } from './vault.ts';

/** Cards and statements as this peer holds them. */
export interface CardShelf {
  card(id: CardId): PublishedCard | undefined;
  /** Those that count, about one card. */
  statements(id: CardId): readonly CardStatement[];
  /** Signs, keeps and spreads what this peer says of a card. */
  say(id: CardId, word: Word): Promise<CardStatement>;
}

export interface DeskParts {
  readonly key: SigningKey;
  readonly random: Random;
  readonly log: Log;
  /** Seconds since 1970: tokens and offers are over at a date. */
  readonly now: () => number;
  readonly transport: Transport;
  readonly shelf: CardShelf;
  readonly vault: Vault;
  readonly settlement: Settlement;
  readonly acquittals: Acquittals;
}

/** An offer that a publisher makes of its own card. */
export type Terms = Omit<WordOf<'offer'>, 'kind'>;

/** The offer of a card's publisher, with what names it. */
export interface OpenOffer extends Terms {
  readonly hash: string;
}

const EMPTY = new Uint8Array(0);
const REASON_CHARS_MAX = 256;
/** Purchases that wait for their turn: each may ask a program about a receipt. */
const SALES_MAX = 32;
const SALES_OF_PEER_MAX = 4;
const BUSY = 'busy';

/**
 * Restricted models: who may have them, on which terms, and the keys that open them. Serves
 * `/starling/offers/1` from its start on; spec protocols/models §8 to §11.
 */
export class OfferDesk {
  readonly #parts: DeskParts;
  /** Sales one after another: two payments at once must not use the same credit. */
  #selling: Promise<unknown> = Promise.resolve();
  /** Whose turn is to come, each as often as it waits. */
  #queue: readonly PeerId[] = [];
  /** By card and receipt: two purchases at once are one. */
  readonly #buying = new Map<string, Promise<AccessToken>>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  start(): void {
    const { transport } = this.#parts;
    transport.handle(OFFERS_PROTOCOL, (parcel, from) => this.#answer(parcel, from));
  }

  /** A ciphertext to publish in place of a model, and the key that opens it. */
  seal(model: Uint8Array): { readonly blob: Uint8Array; readonly key: Uint8Array } {
    const key = this.#parts.random.bytes(MODEL_KEY_BYTES);
    return { blob: sealModel(model, key), key };
  }

  /** Before the card spreads: whoever asks for the key then gets it. */
  keepKey(card: CardId, key: Uint8Array): Promise<void> {
    return this.#parts.vault.keepKey(card, key);
  }

  /** What the publisher asks for a token now; undefined where it offers none. */
  offerOf(card: CardId): OpenOffer | undefined {
    const statement = this.#said(card, 'offer');
    if (statement?.word.kind !== 'offer' || statement.word.until < this.#parts.now()) {
      return undefined;
    }
    const { kind: _, ...terms } = statement.word;
    return { ...terms, hash: statement.hash };
  }

  /** @throws ConfigError for a card that is not this peer's own */
  async offer(card: CardId, terms: Terms): Promise<OpenOffer> {
    this.#own(card);
    const { hash } = await this.#parts.shelf.say(card, { kind: 'offer', ...terms });
    return { ...terms, hash };
  }

  /**
   * A token for a peer, unpaid. It is sent there if the peer can be reached; its bytes can be
   * carried there, too.
   * @param seconds that it holds
   */
  async grant(card: CardId, holder: PeerId, seconds: number): Promise<AccessToken> {
    this.#own(card);
    const token = await this.#issue(card, holder, seconds);
    const request = { kind: 'grant', token: token.bytes } as const;
    await this.#ask(holder, request).catch((error: unknown) => {
      this.#parts.log.info('a token could not be sent', { holder, reason: errorMessage(error) });
    });
    return token;
  }

  /** Takes a token that came otherwise. @throws ProtocolError when it is none for this peer */
  async take(bytes: Uint8Array): Promise<AccessToken> {
    const token = readToken(bytes);
    if (token === undefined) throw new ProtocolError('token', 'the token is signed by nobody');
    const fault = this.#faultOf(token, this.#parts.key.peerId);
    if (fault !== undefined) throw new ProtocolError('token', fault);
    await this.#keepShown(token);
    return token;
  }

  /** Tokens for this peer's own card. */
  issued(card: CardId): readonly (AccessToken & { readonly isRevoked: boolean })[] {
    this.#own(card);
    const revoked = this.#revoked(card);
    return this.#parts.vault.tokens(card).map((token) => {
      return { ...token, isRevoked: revoked.has(serialOf(token)) };
    });
  }

  /**
   * Ends what tokens open from now on; who has the model keeps it.
   * @param whose serials of tokens, or peers for all that they have
   */
  async revoke(card: CardId, whose: readonly string[]): Promise<readonly TokenSerial[]> {
    const before = [...this.#revoked(card)];
    const fresh = this.issued(card)
      .filter(({ holder, ...token }) => whose.includes(holder) || whose.includes(serialOf(token)))
      .map(serialOf)
      .filter((serial) => !before.includes(serial));
    const all = [...before, ...fresh];
    if (all.length > MODELS_LIMITS.revokedMax) {
      const what = `more than ${MODELS_LIMITS.revokedMax} revoked tokens of one card`;
      throw new ConfigError('revoke', what, 'Publish a new version, and deprecate this one');
    }
    if (fresh.length === 0) {
      const hint = '`starling model tokens CARD` lists them';
      throw new ConfigError('revoke', 'no token in force is of that peer or serial', hint);
    }
    const tokens = all.map((serial) => Buffer.from(serial, 'hex'));
    await this.#parts.shelf.say(card, { kind: 'revoke', tokens });
    return fresh;
  }

  /**
   * Buys a token under the offer as it stands. When the answer is lost, the next call pays with the
   * same note and is charged once, even when the offer has changed meanwhile.
   * @param receipt of a payment elsewhere, in place of an IOU
   * @throws ConfigError where nothing is offered; ProtocolError with the seller's reason
   */
  buy(id: CardId, receipt?: string): Promise<AccessToken> {
    const place = `${id} ${receipt ?? ''}`;
    const purchase =
      this.#buying.get(place) ??
      this.#buy(id, receipt).finally(() => {
        this.#buying.delete(place);
      });
    this.#buying.set(place, purchase);
    return purchase;
  }

  async #buy(id: CardId, receipt?: string): Promise<AccessToken> {
    const { publisher } = this.#card(id);
    const offer = this.offerOf(id);
    const earlier = await this.#boughtEarlier(id, offer?.hash);
    if (earlier !== undefined) return earlier;
    const { key, settlement } = this.#parts;
    if (offer === undefined) {
      throw new ConfigError('card', 'its publisher offers no token', 'Ask it for a grant');
    }
    const { amount, unit, hash } = offer;
    const order = { card: id, offer: hash, amount, unit, buyer: key.peerId, seller: publisher };
    return this.#redeem({ order, payment: await settlement.pay(order, receipt) });
  }

  /** What an earlier offer was paid for, where the answer was lost. */
  async #boughtEarlier(card: CardId, now: string | undefined): Promise<AccessToken | undefined> {
    const { settlement } = this.#parts;
    for (const purchase of await settlement.unanswered(card)) {
      const { order } = purchase;
      if (order.offer === now) continue;
      try {
        return await this.#redeem(purchase);
      } catch (error) {
        if (!(error instanceof ProtocolError) || error.code !== DECLINED) throw error;
        await settlement.declined(order);
      }
    }
    return undefined;
  }

  async #redeem({ order, payment }: Purchase): Promise<AccessToken> {
    const { card, offer, seller } = order;
    const { settlement } = this.#parts;
    const answer = await this.#ask(seller, { kind: 'buy', card, offer, payment });
    if (answer.kind !== 'sold')
      throw new ProtocolError('answer', `${answer.kind} in place of sold`);
    try {
      const token = await this.take(answer.token);
      await settlement.bought(order, payment);
      return token;
    } catch (error) {
      // It is paid for all the same, and would come as the answer to this payment for ever.
      if (this.#hasEnded(answer.token, order)) await settlement.bought(order, payment);
      throw error;
    }
  }

  /** Whether it is what was ordered, and over or revoked by now. */
  #hasEnded(bytes: Uint8Array, { card: id, buyer }: Order): boolean {
    const token = readToken(bytes);
    if (token === undefined) return false;
    const isOver = token.expires < this.#parts.now() || this.#revoked(id).has(serialOf(token));
    const then = { card: this.#card(id), shower: buyer, now: token.issued };
    return isOver && tokenFault(token, { ...then, isRevoked: () => false }) === undefined;
  }

  /**
   * A restricted card's model in clear.
   * @param others that may have the key, beside the publisher
   * @throws ProtocolError naming who refused and why
   */
  async open(id: CardId, blob: Uint8Array, others: readonly PeerId[]): Promise<Uint8Array> {
    const { publisher, card } = this.#card(id);
    const held = await this.#parts.vault.key(id);
    if (held !== undefined) return openModel(blob, held, card.model.hash);
    const token = this.#ownToken(id);
    const refusals: string[] = [];
    for (const peer of new Set([publisher, ...others])) {
      if (peer === this.#parts.key.peerId) continue;
      try {
        const answer = await this.#ask(peer, { kind: 'key', token: token.bytes });
        if (answer.kind !== 'key') continue;
        const model = openModel(blob, answer.key, card.model.hash);
        await this.#parts.vault.keepKey(id, answer.key);
        return model;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        refusals.push(`${peer}: ${error.message}`);
      }
    }
    throw new ProtocolError('model-key', `nobody gave the key. ${refusals.join('; ')}`);
  }

  /** Whether a peer may use a restricted model that this node serves. */
  admits(id: CardId, peer: PeerId): boolean {
    const published = this.#parts.shelf.card(id);
    if (published === undefined) return false;
    if (published.card.access === 'open' || peer === published.publisher) return true;
    const own = this.#parts.vault.tokens(id).filter(({ holder }) => holder === peer);
    return own.some((token) => this.#faultOf(token, peer) === undefined);
  }

  async #answer(parcel: Parcel, from: PeerId): Promise<Parcel> {
    const most = MODELS_LIMITS.offersMessageBytesMax;
    const request = decodeCanonical(offersRequestCodec, parcel.body, most);
    let answer: OffersAnswer;
    try {
      answer = await this.#serve(request, from);
    } catch (error) {
      if (!(error instanceof ProtocolError || error instanceof ConfigError)) throw error;
      // Not an answer: the buyer must not take it for a no.
      if (error instanceof ProtocolError && error.code === BUSY) throw error;
      answer = { kind: 'refused', reason: reasonOf(error) };
    }
    return { header: EMPTY, body: encodeCanonical(offersAnswerCodec, answer) };
  }

  async #serve(request: OffersRequest, from: PeerId): Promise<OffersAnswer> {
    switch (request.kind) {
      case 'buy':
        return this.#inTurn(from, () => this.#sell(request, from));
      case 'key':
        return { kind: 'key', key: await this.#keyFor(request.token, from) };
      case 'acquit':
        await this.#parts.acquittals.take(request.acquittal, from);
        return { kind: 'taken' };
      case 'grant':
        await this.take(request.token);
        return { kind: 'taken' };
    }
  }

  async #inTurn<T>(buyer: PeerId, work: () => Promise<T>): Promise<T> {
    const own = this.#queue.filter((peer) => peer === buyer).length;
    if (own >= SALES_OF_PEER_MAX || this.#queue.length >= SALES_MAX) {
      throw new ProtocolError(BUSY, 'too many purchases at once, try again in a moment');
    }
    this.#queue = [...this.#queue, buyer];
    const turn = this.#selling.then(work);
    this.#selling = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#queue = this.#queue.toSpliced(this.#queue.indexOf(buyer), 1);
    }
  }

  async #sell(
    { card, offer: hash, payment }: Extract<OffersRequest, { kind: 'buy' }>,
    buyer: PeerId,
  ): Promise<OffersAnswer> {
    const { vault, settlement, key } = this.#parts;
    this.#own(card);
    const id = settlement.idOf(payment);
    const sale = id === undefined ? undefined : await vault.saleOf(id);
    if (sale !== undefined) {
      if (sale.holder !== buyer || sale.card !== card) {
        throw new ProtocolError('payment', 'this payment has bought something else already');
      }
      await settlement.sold({ card, buyer }, payment);
      return { kind: 'sold', token: sale.bytes };
    }
    const offer = this.offerOf(card);
    if (offer?.hash !== hash) {
      throw new ProtocolError('offer', 'the offer has changed or is over: look at it again');
    }
    const { amount, unit, seconds } = offer;
    const order: Order = { card, offer: hash, amount, unit, buyer, seller: key.peerId };
    const accepted = await settlement.accept(order, payment);
    if (accepted.kind === 'refused') throw new ProtocolError('payment', accepted.reason);
    // What costs nothing is had again when it is over; what was paid for once is had once.
    const before = await vault.saleOf(accepted.id);
    const isGood = before !== undefined && this.#faultOf(before, buyer) === undefined;
    const token = isGood ? before : await this.#issue(card, buyer, seconds);
    await vault.keepSale(accepted.id, token);
    await settlement.sold(order, payment);
    return { kind: 'sold', token: token.bytes };
  }

  async #keyFor(bytes: Uint8Array, from: PeerId): Promise<Uint8Array> {
    const token = readToken(bytes);
    if (token === undefined) throw new ProtocolError('token', 'the token is signed by nobody');
    const fault = this.#faultOf(token, from);
    if (fault !== undefined) throw new ProtocolError('token', fault);
    const key = await this.#parts.vault.key(token.card);
    if (key === undefined)
      throw new ProtocolError('model-key', 'this peer has no key of the model');
    await this.#keepShown(token);
    return key;
  }

  /**
   * Of one card and holder the token that holds the longest: whoever publishes cards can sign any
   * number of them. Those that this peer has signed are all kept, to be revoked.
   */
  async #keepShown(token: AccessToken): Promise<void> {
    const { vault, key } = this.#parts;
    if (token.issuer === key.peerId) return vault.keepToken(token);
    const held = vault.tokens(token.card).filter(({ holder }) => holder === token.holder);
    const isKnown = (other: AccessToken) =>
      other.expires >= token.expires && this.#faultOf(other, other.holder) === undefined;
    if (held.some(isKnown)) return;
    await vault.keepToken(token);
    await vault.dropTokens(held.filter(({ hash }) => hash !== token.hash));
  }

  async #issue(card: CardId, holder: PeerId, seconds: number): Promise<AccessToken> {
    const { key, random, now, vault } = this.#parts;
    const issued = now();
    const body = { card, holder, serial: random.bytes(16), issued, expires: issued + seconds };
    const token = signToken(body, key);
    await vault.keepToken(token);
    return token;
  }

  #ownToken(card: CardId): AccessToken {
    const { vault, key } = this.#parts;
    const mine = vault.tokens(card).filter(({ holder }) => holder === key.peerId);
    const good = mine.find((token) => this.#faultOf(token, key.peerId) === undefined);
    if (good !== undefined) return good;
    const [last] = mine;
    const why =
      last === undefined ? 'this peer has no token for it' : this.#faultOf(last, key.peerId);
    const hint = '`starling model buy CARD`, or ask the publisher for a grant';
    throw new ConfigError('card', `the model is restricted, and ${why}`, hint);
  }

  #faultOf(token: AccessToken, shower: PeerId): string | undefined {
    const card = this.#parts.shelf.card(token.card);
    if (card === undefined) return 'this peer does not know the model';
    const revoked = this.#revoked(token.card);
    const isRevoked = (serial: TokenSerial) => revoked.has(serial);
    return tokenFault(token, { card, shower, now: this.#parts.now(), isRevoked });
  }

  #revoked(card: CardId): ReadonlySet<TokenSerial> {
    const word = this.#said(card, 'revoke')?.word;
    return new Set(word?.kind === 'revoke' ? word.tokens.map(toHex) : []);
  }

  /** The publisher's newest statement of a kind. */
  #said(card: CardId, kind: Word['kind']): CardStatement | undefined {
    return this.#parts.shelf.statements(card).find(({ word }) => word.kind === kind);
  }

  #card(id: CardId): PublishedCard {
    const card = this.#parts.shelf.card(id);
    if (card !== undefined) return card;
    throw new ConfigError('card', `no card ${id}`, '`starling model search` finds them');
  }

  #own(id: CardId): PublishedCard {
    const card = this.#card(id);
    if (card.publisher === this.#parts.key.peerId) return card;
    throw new ConfigError('card', `${card.publisher} has published it, and only it gives tokens`);
  }

  async #ask(to: PeerId, request: OffersRequest): Promise<OffersAnswer> {
    return askOffers(this.#parts.transport, to, request);
  }
}

/** One line for the other side to show; a program's words may have anything in them. */
const reasonOf = ({ message }: Error): string =>
  [...message.slice(0, REASON_CHARS_MAX)].filter(isPlainLine).join('');
