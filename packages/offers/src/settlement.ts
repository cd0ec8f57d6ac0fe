import type { PeerId } from '@starling/core';
import type { CardId, Money, Payment } from '@starling/protocol-models';

/** What is bought: a token for a card, under the terms of one offer. */
export interface Order extends Money {
  readonly card: CardId;
  /** Hash of the offer's statement. */
  readonly offer: string;
  readonly buyer: PeerId;
  readonly seller: PeerId;
}

/** What was sent to a seller. */
export interface Purchase {
  readonly order: Order;
  readonly payment: Payment;
}

export type Acceptance =
  /** @param id names the payment: the same one again is the same sale */
  | { readonly kind: 'accepted'; readonly id: string }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * How members of a swarm pay each other. Starling has no currency: what an amount of a unit is
 * worth, and how it is paid in the end, is an adapter's affair.
 */
export interface Settlement {
  readonly name: string;
  /**
   * What the buyer sends along; for the same order the same until it is `bought`.
   * @param receipt of a payment elsewhere
   */
  pay(order: Order, receipt?: string): Promise<Payment>;
  /** Of a card, what was paid under whichever offer and never answered. */
  unanswered(card: CardId): Promise<readonly Purchase[]>;
  /** The seller says that it has sold nothing for this, under an offer that is gone. */
  declined(order: Order): Promise<void>;
  /**
   * As `accept` names it: what this has bought is had again, whatever is offered now.
   * @throws ProtocolError when it is malformed; undefined for what names no payment
   */
  idOf(payment: Payment): string | undefined;
  /** The seller's word on a payment. It books nothing yet. */
  accept(order: Order, payment: Payment): Promise<Acceptance>;
  /** Seller's side: the token is durable, and the sale final. May be called again. */
  sold(order: Pick<Order, 'card' | 'buyer'>, payment: Payment): Promise<void>;
  /** Buyer's side: the token is there. May be called again. */
  bought(order: Order, payment: Payment): Promise<void>;
}

/** Of settlements that keep nothing on the buyer's side. */
const NOTHING_KEPT = {
  unanswered: async () => [],
  declined: async () => {},
  sold: async () => {},
  bought: async () => {},
} as const;

export const refused = (reason: string): Acceptance => ({ kind: 'refused', reason });

/** For swarms in which nothing costs anything. */
export const freeSettlement: Settlement = {
  ...NOTHING_KEPT,
  name: 'free',
  idOf: () => undefined,
  pay: async () => ({ kind: 'none' }),
  accept: async ({ buyer, offer, amount }) =>
    amount === 0
      ? { kind: 'accepted', id: `free-${buyer}-${offer}` }
      : refused('this peer takes no payments: it sells nothing that has a price'),
};

/** Asks a program of the owner about a payment; see `referenceSettlement`. */
export type PaymentCheck = (
  order: Order,
  reference: string,
) => Promise<{ readonly ok: boolean; readonly reason: string }>;

/**
 * For what is paid elsewhere: the buyer names a receipt, and a program of the seller looks whether
 * the money has come.
 * @param check the seller's; absent where it looks at no receipts
 */
export const referenceSettlement = (check?: PaymentCheck): Settlement => ({
  ...NOTHING_KEPT,
  name: 'reference',
  // One receipt buys one token of one card, whoever shows it.
  idOf: (payment) => (payment.kind === 'reference' ? `reference-${payment.reference}` : undefined),
  pay: async (_, receipt) =>
    receipt === undefined ? { kind: 'none' } : { kind: 'reference', reference: receipt },
  accept: async (order, payment) => {
    if (order.amount === 0) return freeSettlement.accept(order, payment);
    if (payment.kind !== 'reference') return refused('name a receipt of the payment');
    if (check === undefined) return refused('this peer takes no payments made elsewhere');
    const { reference } = payment;
    // To a program " 7" and "7" may be one receipt: it must not buy twice.
    if (reference.trim() !== reference) return refused('the receipt begins or ends with a blank');
    const { ok, reason } = await check(order, reference);
    return ok ? { kind: 'accepted', id: `reference-${reference}` } : refused(reason);
  },
});

/** Receipts where there are some, IOUs otherwise. */
export function settlementBy(iou: Settlement, reference: Settlement): Settlement {
  const by = ({ kind }: Payment): Settlement => (kind === 'reference' ? reference : iou);
  return {
    name: `${iou.name} or ${reference.name}`,
    pay: (order, receipt) => (receipt === undefined ? iou : reference).pay(order, receipt),
    unanswered: (card) => iou.unanswered(card),
    declined: (order) => iou.declined(order),
    idOf: (payment) => by(payment).idOf(payment),
    accept: (order, payment) => by(payment).accept(order, payment),
    sold: (order, payment) => by(payment).sold(order, payment),
    bought: (order, payment) => by(payment).bought(order, payment),
  };
}
