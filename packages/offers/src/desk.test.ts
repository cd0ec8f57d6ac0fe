import { type PeerId, ProtocolError, utf8 } from '@starling/core';
import { signAcquittal, signIou } from '@starling/protocol-models';
import { expect, test } from 'vitest';
import { Market } from '../../../test/helpers/market.ts';
import { until } from '../../../test/helpers/until.ts';
import { askOffers } from './ask-offers.ts';
import type { Terms } from './desk.ts';
import { ACCOUNTS } from './iou-settlement.ts';
import { openModel, sealModel } from './sealed-model.ts';
import { referenceSettlement } from './settlement.ts';

const MODEL = utf8('an ONNX file');
const YEAR = 31_536_000;
const terms = (market: Market, changes: Partial<Terms> = {}): Terms => ({
  ...{ amount: 40, unit: 'cent', licence: 'MIT', seconds: YEAR, note: '' },
  until: market.now + 1000,
  ...changes,
});

async function market() {
  const made = new Market();
  const [seller, buyer, third] = [await made.trader(1), await made.trader(2), await made.trader(3)];
  return { market: made, seller, buyer, third, ...(await made.publish(seller, MODEL)) };
}

test('a ciphertext opens with its key, as the card’s model and nothing else [C-21]', async () => {
  const { market: made, id, seller } = await market();
  const { hash } = made.shelves.cards.get(id)!.card.model;
  const { blob, key } = seller.desk.seal(MODEL);
  expect(openModel(blob, key, hash)).toEqual(MODEL);
  const other = sealModel(utf8('another file'), key);
  const wrong = blob.with(3, blob[3]! ^ 1);
  const bad = [openModel.bind(0, other, key, hash), openModel.bind(0, wrong, key, hash)];
  for (const open of [...bad, openModel.bind(0, blob, key.with(0, key[0]! ^ 1), hash)]) {
    expect(open).toThrow('the key does not open this model');
  }
});

test('whoever has no token has nothing, whoever is given one has the model [C-20]', async () => {
  const { market: made, seller, buyer, third, id, blob } = await market();
  await expect(buyer.desk.open(id, blob, [])).rejects.toThrow('this peer has no token for it');
  const token = await seller.desk.grant(id, buyer.peer, 100);
  expect(await buyer.desk.open(id, blob, [])).toEqual(MODEL);
  await expect(third.desk.take(token.bytes)).rejects.toThrow('given to another peer');
  await expect(third.desk.grant(id, third.peer, 100)).rejects.toThrow('only it gives tokens');
  expect(buyer.desk.admits(id, buyer.peer)).toBe(true);
  made.now += 1000;
  expect(seller.desk.admits(id, buyer.peer)).toBe(false);
  expect(seller.desk.admits(id, seller.peer)).toBe(true);
  // The key is there already: nothing takes it back.
  expect(await buyer.desk.open(id, blob, [])).toEqual(MODEL);
});

const gone = (peer: PeerId) => (_: PeerId, to: PeerId) => {
  if (to === peer) throw new ProtocolError('unreachable', 'gone');
};

test('where the publisher is gone, others that have the key give it, for a token', async () => {
  const { market: made, seller, buyer, third, id, blob } = await market();
  await seller.desk.grant(id, buyer.peer, YEAR);
  await buyer.desk.open(id, blob, []);
  const token = await seller.desk.grant(id, third.peer, YEAR);
  made.network.onRequest = gone(seller.peer);
  await expect(third.desk.open(id, blob, [])).rejects.toThrow('nobody gave the key');
  expect(await third.desk.open(id, blob, [buyer.peer])).toEqual(MODEL);
  const stranger = made.network.transport((await made.trader(4)).peer);
  const asked = askOffers(stranger, buyer.peer, { kind: 'key', token: token.bytes });
  await expect(asked).rejects.toThrow('given to another peer');
});

test('a grant that cannot be sent is carried', async () => {
  const { market: made, seller, buyer, id, blob } = await market();
  made.network.onRequest = gone(buyer.peer);
  const { bytes } = await seller.desk.grant(id, buyer.peer, YEAR);
  await expect(buyer.desk.open(id, blob, [])).rejects.toThrow('no token');
  await buyer.desk.take(bytes);
  expect(await buyer.desk.open(id, blob, [])).toEqual(MODEL);
});

test('a revoked token opens nothing, at no holder of the key', async () => {
  const { seller, buyer, third, id, blob } = await market();
  await seller.desk.grant(id, buyer.peer, YEAR);
  await buyer.desk.open(id, blob, []);
  await seller.desk.grant(id, third.peer, YEAR);
  expect(await seller.desk.revoke(id, [third.peer])).toHaveLength(1);
  await expect(third.desk.open(id, blob, [buyer.peer])).rejects.toThrow('has revoked the token');
  const standing = seller.desk.issued(id).map(({ holder, isRevoked }) => [holder, isRevoked]);
  expect(standing).toEqual([
    [buyer.peer, false],
    [third.peer, true],
  ]);
  await expect(seller.desk.revoke(id, [third.peer])).rejects.toThrow('no token in force');
  // A second revocation keeps the first.
  await seller.desk.revoke(id, [buyer.peer]);
  expect(seller.desk.issued(id).every(({ isRevoked }) => isRevoked)).toBe(true);
});

test('a token is bought on credit, and both books say so, in balance', async () => {
  const { market: made, seller, buyer, id, blob } = await market();
  await expect(buyer.desk.buy(id)).rejects.toThrow('offers no token');
  await seller.desk.offer(id, terms(made));
  const token = await buyer.desk.buy(id);
  expect(token.expires - token.issued).toBe(YEAR);
  expect(await buyer.desk.open(id, blob, [])).toEqual(MODEL);
  expect(seller.ledger.balances()).toEqual([
    { account: ACCOUNTS.income(id), unit: 'cent', amount: -40 },
    { account: ACCOUNTS.receivable(buyer.peer), unit: 'cent', amount: 40 },
  ]);
  expect(buyer.ledger.balances()).toEqual([
    { account: ACCOUNTS.expense(id), unit: 'cent', amount: 40 },
    { account: ACCOUNTS.payable(seller.peer), unit: 'cent', amount: -40 },
  ]);
});

test('credit has an end, also for payments at once, until the debt is paid', async () => {
  const { market: made, seller, buyer } = await market();
  const cards = [];
  for (const name of ['a', 'b', 'c']) {
    const { id } = await made.publish(seller, utf8(name), name);
    await seller.desk.offer(id, terms(made));
    cards.push(id);
  }
  const bought = await Promise.allSettled(cards.map((id) => buyer.desk.buy(id)));
  expect(bought.map(({ status }) => status).toSorted()).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
  ]);
  const left = cards[bought.findIndex(({ status }) => status === 'rejected')]!;
  await expect(buyer.desk.buy(left)).rejects.toThrow(
    'you owe 80 cent here, and have credit for 100',
  );
  const money = { amount: 81, unit: 'cent' };
  await expect(seller.acquittals.acquit(buyer.peer, money, '')).rejects.toThrow('owes 80 cent');
  await seller.acquittals.acquit(buyer.peer, { amount: 50, unit: 'cent' }, 'cash');
  expect(buyer.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent')).toBe(-30);
  expect(seller.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(30);
  await buyer.desk.buy(left);
  for (const { ledger } of [seller, buyer]) {
    expect(ledger.balances().reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
  }
});

test('an answer that is lost, or a crash, charges once [C-23]', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made));
  made.network.onAnswer = () => {
    throw new ProtocolError('unreachable', 'lost');
  };
  await expect(buyer.desk.buy(id)).rejects.toThrow('lost');
  made.network.onAnswer = () => {};
  expect(seller.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(40);
  expect(buyer.ledger.balances()).toEqual([]);
  // Both start anew from what is on their disks.
  const again = await made.trader(2, { journal: buyer.journal });
  const sellerAgain = await made.trader(1, { journal: seller.journal });
  const token = await again.desk.buy(id);
  expect(sellerAgain.desk.issued(id)).toHaveLength(1);
  expect(token.hash).toBe(sellerAgain.desk.issued(id)[0]!.hash);
  expect(sellerAgain.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(40);
  expect(again.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent')).toBe(-40);
  // The next token is another sale.
  await again.desk.buy(id);
  expect(sellerAgain.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(80);
});

test('an IOU is its debtor’s own, for this seller, offer and amount [C-22]', async () => {
  const { market: made, seller, buyer, third, id } = await market();
  const { hash: offer } = await seller.desk.offer(id, terms(made));
  const good = {
    ...{ from: buyer.peer, to: seller.peer, amount: 40, unit: 'cent', offer },
    ...{ serial: new Uint8Array(16), at: made.now },
  };
  const wire = made.network.transport(buyer.peer);
  const pay = (iou: Uint8Array) =>
    askOffers(wire, seller.peer, { kind: 'buy', card: id, offer, payment: { kind: 'iou', iou } });
  const { bytes } = signIou(good, buyer.key);
  const bad: readonly (readonly [Uint8Array, string])[] = [
    [bytes.with(-1, bytes.at(-1)! ^ 1), 'not signed by its debtor'],
    [signIou({ ...good, from: third.peer }, third.key).bytes, 'of another peer'],
    [signIou({ ...good, to: third.peer }, buyer.key).bytes, 'owed to another peer'],
    [signIou({ ...good, offer: 'ab'.repeat(32) }, buyer.key).bytes, 'for another offer'],
    [signIou({ ...good, amount: 4 }, buyer.key).bytes, 'of 4 cent, the offer asks 40 cent'],
    [signIou({ ...good, unit: 'mark' }, buyer.key).bytes, 'of 40 mark, the offer asks 40 cent'],
  ];
  for (const [iou, reason] of bad) await expect(pay(iou)).rejects.toThrow(reason);
  expect(seller.ledger.entries()).toEqual([]);
  expect(await pay(bytes)).toMatchObject({ kind: 'sold' });
});

test('who has paid is told when it comes back, once; nobody else acquits', async () => {
  const { market: made, seller, buyer, third, id } = await market();
  await seller.desk.offer(id, terms(made));
  await buyer.desk.buy(id);
  made.network.onRequest = gone(buyer.peer);
  const { bytes } = await seller.acquittals.acquit(
    buyer.peer,
    { amount: 15, unit: 'cent' },
    'cash',
  );
  const owed = () => buyer.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent');
  expect(owed()).toBe(-40);
  made.network.onRequest = () => {};
  made.network.connect(seller.peer, buyer.peer);
  await until(() => owed() === -25);
  const repeat = (from: PeerId) =>
    askOffers(made.network.transport(from), buyer.peer, { kind: 'acquit', acquittal: bytes });
  expect(await repeat(seller.peer)).toEqual({ kind: 'taken' });
  await expect(repeat(third.peer)).rejects.toThrow('not between these two peers');
  expect(owed()).toBe(-25);
  const body = { from: buyer.peer, to: seller.peer, amount: 26, unit: 'cent', at: 1, note: '' };
  const { bytes: excess } = signAcquittal({ ...body, serial: new Uint8Array(16) }, seller.key);
  const wire = made.network.transport(seller.peer);
  const asked = askOffers(wire, buyer.peer, { kind: 'acquit', acquittal: excess });
  await expect(asked).rejects.toThrow('owes you 25 cent, not 26');
});

test('an offer that has changed, or is over, sells nothing', async () => {
  const { market: made, seller, buyer, id } = await market();
  const first = await seller.desk.offer(id, terms(made));
  expect(buyer.desk.offerOf(id)).toEqual(first);
  const second = await seller.desk.offer(id, terms(made, { amount: 10 }));
  expect(buyer.desk.offerOf(id)?.hash).toBe(second.hash);
  made.now += 2000;
  expect(buyer.desk.offerOf(id)).toBeUndefined();
  await expect(buyer.desk.buy(id)).rejects.toThrow('offers no token');
  await seller.desk.offer(id, terms(made, { until: 0 }));
  expect(buyer.desk.offerOf(id)).toBeUndefined();
});

test('what costs nothing is had without a payment, and again when it is over', async () => {
  const { market: made, seller, buyer, id } = await market();
  const free = { amount: 0, seconds: 100, until: made.now + 10 * YEAR };
  await seller.desk.offer(id, terms(made, free));
  const first = await buyer.desk.buy(id);
  expect((await buyer.desk.buy(id)).hash).toBe(first.hash);
  made.now += 1000;
  expect((await buyer.desk.buy(id)).expires).toBe(made.now + 100);
  expect([...buyer.ledger.balances(), ...seller.ledger.balances()]).toEqual([]);
});

test('a receipt of a payment elsewhere is looked at by a program, and used once', async () => {
  const made = new Market();
  const check = async (_: unknown, reference: string) => {
    const ok = reference === 'receipt-7';
    return { ok, reason: ok ? '' : 'nothing has come' };
  };
  const settlement = referenceSettlement(check);
  const seller = await made.trader(1, { settlement });
  const { id } = await made.publish(seller, MODEL);
  await seller.desk.offer(id, terms(made));
  const buyerWith = async (seed: number, receipt?: string) =>
    (await made.trader(seed, { settlement })).desk.buy(id, receipt);
  await expect(buyerWith(2)).rejects.toThrow('name a receipt');
  await expect(buyerWith(2, 'receipt-8')).rejects.toThrow('nothing has come');
  const token = await buyerWith(2, 'receipt-7');
  expect((await buyerWith(2, 'receipt-7')).hash).toBe(token.hash);
  await expect(buyerWith(3, 'receipt-7')).rejects.toThrow('bought something else already');
});

test('a free offer books no IOU, so that none counts as known unseen', async () => {
  const { market: made, seller, buyer, id } = await market();
  const gift = await made.publish(seller, utf8('a gift'), 'gift');
  const free = await seller.desk.offer(gift.id, terms(made, { amount: 0 }));
  made.credit = 0;
  const { hash: offer } = await seller.desk.offer(id, terms(made));
  const owed = { from: buyer.peer, to: seller.peer, unit: 'cent', offer, at: made.now };
  const serial = new Uint8Array(16);
  const wire = made.network.transport(buyer.peer);
  const pay = (card: typeof id, hash: string, amount: number) => {
    const { bytes: iou } = signIou({ ...owed, amount, serial }, buyer.key);
    const payment = { kind: 'iou', iou } as const;
    return askOffers(wire, seller.peer, { kind: 'buy', card, offer: hash, payment });
  };
  await expect(pay(gift.id, free.hash, 1)).rejects.toThrow('it costs nothing');
  expect(seller.ledger.entries()).toEqual([]);
  await expect(pay(id, offer, 40)).rejects.toThrow('credit for 0');
});

test('two purchases at once, of one card, are one', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made));
  const [one, other] = await Promise.all([buyer.desk.buy(id), buyer.desk.buy(id)]);
  expect(one!.hash).toBe(other!.hash);
  expect(seller.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(40);
});

const lost = () => {
  throw new ProtocolError('unreachable', 'lost');
};

test('what was sold and not answered is had even when the offer has changed', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made));
  made.network.onAnswer = lost;
  await expect(buyer.desk.buy(id)).rejects.toThrow('lost');
  made.network.onAnswer = () => {};
  await seller.desk.offer(id, terms(made, { amount: 50 }));
  const token = await buyer.desk.buy(id);
  expect(token.hash).toBe(seller.desk.issued(id)[0]!.hash);
  expect(seller.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(40);
  expect(buyer.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent')).toBe(-40);
});

test('an IOU that never arrived does not stand in the way of a new offer', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made));
  made.network.onRequest = gone(seller.peer);
  await expect(buyer.desk.buy(id)).rejects.toThrow('gone');
  made.network.onRequest = () => {};
  await seller.desk.offer(id, terms(made, { amount: 50 }));
  await buyer.desk.buy(id);
  expect(seller.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(50);
  expect(buyer.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent')).toBe(-50);
});

test('a token that was over before it came is paid for, and a next one can be had', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made, { seconds: 100, until: made.now + YEAR }));
  made.network.onAnswer = lost;
  await expect(buyer.desk.buy(id)).rejects.toThrow('lost');
  made.network.onAnswer = () => {};
  made.now += 1000;
  await expect(buyer.desk.buy(id)).rejects.toThrow('expired');
  expect(buyer.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent')).toBe(-40);
  expect((await buyer.desk.buy(id)).expires).toBe(made.now + 100);
});

test('of two acquittals at once the second sees what the first has left', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made));
  await buyer.desk.buy(id);
  const paid = () => seller.acquittals.acquit(buyer.peer, { amount: 30, unit: 'cent' }, '');
  const both = await Promise.allSettled([paid(), paid()]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(seller.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(10);
});

test('an acquittal that a crash kept out of the books is in them before it is sent', async () => {
  const { market: made, seller, buyer, id } = await market();
  await seller.desk.offer(id, terms(made));
  await buyer.desk.buy(id);
  const put = seller.journal.put.bind(seller.journal);
  seller.journal.put = async (key, value) => {
    if (key.startsWith('offers/ledger/')) throw new Error('the power is gone');
    await put(key, value);
  };
  const money = { amount: 15, unit: 'cent' };
  await expect(seller.acquittals.acquit(buyer.peer, money, '')).rejects.toThrow('power');
  seller.journal.put = put;
  const again = await made.trader(1, { journal: seller.journal });
  made.network.connect(again.peer, buyer.peer);
  await until(() => buyer.ledger.balance(ACCOUNTS.payable(seller.peer), 'cent') === -25);
  expect(again.ledger.balance(ACCOUNTS.receivable(buyer.peer), 'cent')).toBe(25);
});

test('a publisher that gives token after token leaves one', async () => {
  const { seller, buyer, id } = await market();
  for (const seconds of [100, 300, 200]) await seller.desk.grant(id, buyer.peer, seconds);
  const kept = [];
  for await (const entry of buyer.journal.entries('offers/token/')) kept.push(entry);
  expect(kept).toHaveLength(1);
  expect(seller.desk.issued(id)).toHaveLength(3);
});

test('a peer waits with a few purchases at once, and hears a reason of one line', async () => {
  const made = new Market();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const settlement = referenceSettlement(async () => {
    await held;
    return { ok: false, reason: '\u001b[31mnothing\u001b[0m has come' };
  });
  const seller = await made.trader(1, { settlement });
  const buyer = await made.trader(2, { settlement });
  const { id } = await made.publish(seller, MODEL);
  await seller.desk.offer(id, terms(made));
  const bought = [1, 2, 3, 4].map((receipt) => buyer.desk.buy(id, `receipt-${receipt}`));
  const outcomes = Promise.allSettled(bought);
  await expect(buyer.desk.buy(id, 'receipt-5')).rejects.toThrow('too many purchases');
  release();
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ reason: { message: '[31mnothing[0m has come' } });
  }
});

test('a receipt with a blank around it is not another receipt', async () => {
  const made = new Market();
  const settlement = referenceSettlement(async () => ({ ok: true, reason: '' }));
  const seller = await made.trader(1, { settlement });
  const buyer = await made.trader(2, { settlement });
  const { id } = await made.publish(seller, MODEL);
  await seller.desk.offer(id, terms(made));
  await buyer.desk.buy(id, '7');
  await expect(buyer.desk.buy(id, ' 7')).rejects.toThrow('blank');
});
