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
  /** The seller's word on a payment. It books nothing yet. */
  accept(order: Order, payment: Payment): Promise<Acceptance>;
  /** Seller's side: the token is durable, and the sale final. May be called again. */
  sold(order: Order, payment: Payment): Promise<void>;
  /** Buyer's side: the token is there. May be called again. */
  bought(order: Order, payment: Payment): Promise<void>;
}

export const refused = (reason: string): Acceptance => ({ kind: 'refused', reason });

/** For swarms in which nothing costs anything. */
export const freeSettlement: Settlement = {
  name: 'free',
  pay: async () => ({ kind: 'none' }),
  accept: async ({ buyer, offer, amount }) =>
    amount === 0
      ? { kind: 'accepted', id: `free-${buyer}-${offer}` }
      : refused('this peer takes no payments: it sells nothing that has a price'),
  sold: async () => {},
  bought: async () => {},
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
  name: 'reference',
  pay: async (_, receipt) =>
    receipt === undefined ? { kind: 'none' } : { kind: 'reference', reference: receipt },
  accept: async (order, payment) => {
    if (order.amount === 0) return freeSettlement.accept(order, payment);
    if (payment.kind !== 'reference') return refused('name a receipt of the payment');
    if (check === undefined) return refused('this peer takes no payments made elsewhere');
    const { ok, reason } = await check(order, payment.reference);
    // One receipt buys one token of one card, whoever shows it.
    return ok ? { kind: 'accepted', id: `reference-${payment.reference}` } : refused(reason);
  },
  sold: async () => {},
  bought: async () => {},
});

/** Receipts where there are some, IOUs otherwise. */
export function settlementBy(iou: Settlement, reference: Settlement): Settlement {
  const by = ({ kind }: Payment): Settlement => (kind === 'reference' ? reference : iou);
  return {
    name: `${iou.name} or ${reference.name}`,
    pay: (order, receipt) => (receipt === undefined ? iou : reference).pay(order, receipt),
    accept: (order, payment) => by(payment).accept(order, payment),
    sold: (order, payment) => by(payment).sold(order, payment),
    bought: (order, payment) => by(payment).bought(order, payment),
  };
}
