import { type Journal, type PeerId, ProtocolError, type Random, toHex } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { type CardId, type Iou, type Payment, readIou, signIou } from '@starling/protocol-models';
import { type Ledger, moved } from './ledger.ts';
import {
  freeSettlement,
  type Order,
  type Purchase,
  refused,
  type Settlement,
} from './settlement.ts';

export interface IouParts {
  readonly key: SigningKey;
  readonly ledger: Ledger;
  readonly journal: Journal;
  readonly random: Random;
  /** Seconds since 1970. */
  readonly now: () => number;
  /** What a peer may owe here, all its IOUs together; 0 where it gets no credit. */
  readonly creditOf: (peer: PeerId, unit: string) => number;
}

/** What others owe to this peer, what it owes, and what was earned, spent and paid for what. */
export const ACCOUNTS = {
  receivable: (peer: PeerId) => `receivable:${peer}`,
  payable: (peer: PeerId) => `payable:${peer}`,
  income: (card: string) => `income:${card}`,
  expense: (card: string) => `expense:${card}`,
  /** Settled outside of Starling: between this peer and another. */
  settled: (peer: PeerId) => `settled:${peer}`,
} as const;

const PENDING = 'offers/paying/';
const pendingOf = (card: CardId): string => `${PENDING}${card}/`;
const pendingKey = ({ card, offer }: Order): string => pendingOf(card) + offer;

/**
 * The default: buyers sign IOUs, sellers give credit up to a limit, and both keep books. How a debt
 * is paid is between the two; an acquittal then takes it off.
 */
export class IouSettlement implements Settlement {
  readonly name = 'iou';
  readonly #parts: IouParts;

  constructor(parts: IouParts) {
    this.#parts = parts;
  }

  async pay(order: Order): Promise<Payment> {
    if (order.amount === 0) return { kind: 'none' };
    const { journal, key, random, now } = this.#parts;
    // An answer that was lost must not make two debts of one: the same IOU is sent again.
    const pending = await journal.get(pendingKey(order));
    if (pending !== undefined) return { kind: 'iou', iou: pending };
    const { amount, unit, seller: to, offer } = order;
    const serial = random.bytes(16);
    const iou = signIou({ from: key.peerId, to, amount, unit, serial, at: now(), offer }, key);
    await journal.put(pendingKey(order), iou.bytes);
    return { kind: 'iou', iou: iou.bytes };
  }

  /** IOUs that were signed for sellers that have not answered, so that nobody forgets them. */
  async pending(): Promise<readonly Iou[]> {
    const found: Iou[] = [];
    for await (const [, bytes] of this.#parts.journal.entries(PENDING)) found.push(mustRead(bytes));
    return found;
  }

  async unanswered(card: CardId): Promise<readonly Purchase[]> {
    const found: Purchase[] = [];
    for await (const [, iou] of this.#parts.journal.entries(pendingOf(card))) {
      const { from: buyer, to: seller, amount, unit, offer } = mustRead(iou);
      const order = { card, offer, amount, unit, buyer, seller };
      found.push({ order, payment: { kind: 'iou', iou } });
    }
    return found;
  }

  async declined(order: Order): Promise<void> {
    await this.#parts.journal.deletePrefix(pendingKey(order));
  }

  idOf(payment: Payment): string | undefined {
    const iou = payment.kind === 'iou' ? readIou(payment.iou) : undefined;
    return iou && saleOf(iou);
  }

  async accept(order: Order, payment: Payment) {
    if (order.amount === 0) {
      // Nothing has looked at such an IOU: it must not get into the books.
      if (payment.kind === 'iou') return refused('it costs nothing: no IOU is taken for it');
      return freeSettlement.accept(order, payment);
    }
    if (payment.kind !== 'iou') return refused('this peer takes IOUs');
    const iou = readIou(payment.iou);
    if (iou === undefined) return refused('the IOU is not signed by its debtor');
    const fault = iouFault(iou, order);
    if (fault !== undefined) return refused(fault);
    const id = saleOf(iou);
    if (this.#parts.ledger.has(id)) return { kind: 'accepted' as const, id };
    const { amount, unit, buyer } = order;
    const owed = this.#parts.ledger.balance(ACCOUNTS.receivable(buyer), unit);
    const credit = this.#parts.creditOf(buyer, unit);
    if (owed + amount <= credit) return { kind: 'accepted' as const, id };
    return refused(`you owe ${owed} ${unit} here, and have credit for ${credit}`);
  }

  async sold({ buyer, card }: Pick<Order, 'card' | 'buyer'>, payment: Payment): Promise<void> {
    if (payment.kind !== 'iou') return;
    const iou = mustRead(payment.iou);
    await this.#parts.ledger.post({
      ...{ id: saleOf(iou), at: this.#parts.now(), memo: `a token for ${card}` },
      postings: moved(iou, ACCOUNTS.income(card), ACCOUNTS.receivable(buyer)),
      document: toHex(iou.bytes),
    });
  }

  async bought(order: Order, payment: Payment): Promise<void> {
    if (payment.kind !== 'iou') return;
    const iou = mustRead(payment.iou);
    const { seller, card } = order;
    await this.#parts.ledger.post({
      ...{ id: `purchase-${toHex(iou.serial)}`, at: this.#parts.now() },
      memo: `a token for ${card}`,
      postings: moved(iou, ACCOUNTS.payable(seller), ACCOUNTS.expense(card)),
      document: toHex(iou.bytes),
    });
    await this.#parts.journal.deletePrefix(pendingKey(order));
  }
}

/** By its debtor's serial, which another debtor may have chosen, too. */
const saleOf = ({ from, serial }: Iou): string => `sale-${from}-${toHex(serial)}`;

function iouFault(iou: Iou, { buyer, seller, amount, unit, offer }: Order): string | undefined {
  if (iou.from !== buyer) return 'the IOU is of another peer';
  if (iou.to !== seller) return 'the IOU is owed to another peer';
  if (iou.offer !== offer) return 'the IOU is for another offer';
  if (iou.amount === amount && iou.unit === unit) return undefined;
  return `the IOU is of ${iou.amount} ${iou.unit}, the offer asks ${amount} ${unit}`;
}

function mustRead(bytes: Uint8Array): Iou {
  const iou = readIou(bytes);
  if (iou === undefined) throw new ProtocolError('signature', 'an IOU that nobody signed');
  return iou;
}
