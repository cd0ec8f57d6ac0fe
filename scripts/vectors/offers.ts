/** The vectors of offers, tokens and payments, which are part of protocols/models. */
import { type BlobHash, toHex } from '@starling/core';
import { hashHex, signingKeyFromSeed } from '@starling/crypto';
import {
  acquittalBodyCodec,
  type CardId,
  iouBodyCodec,
  offersAnswerCodec,
  offersRequestCodec,
  paymentCodec,
  signAcquittal,
  signIou,
  signToken,
  type TokenBody,
  tokenBodyCodec,
  type WordOf,
  wordCodec,
} from '@starling/protocol-models';
import { type BadVector, badWire, type GoodVector, good, ramp, toJson } from './shared.ts';

const [publisher, other] = [1, 2].map((first) => signingKeyFromSeed(ramp(32, first))) as [
  ReturnType<typeof signingKeyFromSeed>,
  ReturnType<typeof signingKeyFromSeed>,
];
const hash = <H extends string>(name: string) => hashHex(new TextEncoder().encode(name)) as H;
const card = hash<BlobHash>('card') as string as CardId;

const offer: WordOf<'offer'> = {
  ...{ kind: 'offer', amount: 250, unit: 'cent', licence: 'CC-BY-NC-4.0' },
  ...{ seconds: 31_536_000, until: 1_800_000_000, note: 'a year' },
};
const revoke = { kind: 'revoke', tokens: [ramp(16), ramp(16, 9)] } as const;
const token: TokenBody = {
  ...{ card, holder: other.peerId, serial: ramp(16) },
  ...{ issued: 1_700_000_000, expires: 1_731_536_000 },
};
const debt = {
  ...{ from: other.peerId, to: publisher.peerId, amount: 250, unit: 'cent' },
  ...{ serial: ramp(16, 3), at: 1_700_000_000 },
};
const iou = { ...debt, offer: hash<string>('offer') };
const acquittal = { ...debt, note: 'bank transfer 17' };

const signed = {
  token: signToken(token, publisher),
  iou: signIou(iou, other),
  acquittal: signAcquittal(acquittal, publisher),
};

export const offersGood = (): readonly GoodVector[] => [
  good('offer', 'word', wordCodec, offer),
  good('withdrawn offer', 'word', wordCodec, { ...offer, until: 0 }),
  good('revoke', 'word', wordCodec, revoke),
  good('a year', 'token', tokenBodyCodec, token),
  good('debt', 'iou', iouBodyCodec, iou),
  good('debt paid', 'acquittal', acquittalBodyCodec, acquittal),
  good('nothing', 'payment', paymentCodec, { kind: 'none' }),
  good('reference', 'payment', paymentCodec, { kind: 'reference', reference: 'receipt 4711' }),
  good('buy', 'offers-request', offersRequestCodec, {
    ...{ kind: 'buy', card, offer: hash<string>('offer') },
    payment: { kind: 'iou', iou: signed.iou.bytes },
  }),
  good('key', 'offers-request', offersRequestCodec, { kind: 'key', token: signed.token.bytes }),
  good('acquit', 'offers-request', offersRequestCodec, {
    ...{ kind: 'acquit', acquittal: signed.acquittal.bytes },
  }),
  good('grant', 'offers-request', offersRequestCodec, { kind: 'grant', token: signed.token.bytes }),
  good('sold', 'offers-answer', offersAnswerCodec, { kind: 'sold', token: signed.token.bytes }),
  good('key', 'offers-answer', offersAnswerCodec, { kind: 'key', key: ramp(32) }),
  good('taken', 'offers-answer', offersAnswerCodec, { kind: 'taken' }),
  good('refused', 'offers-answer', offersAnswerCodec, { kind: 'refused', reason: 'too much owed' }),
];

export function offersBad(): readonly BadVector[] {
  const withField = (wire: unknown, at: number, part: unknown): never =>
    (wire as unknown[]).with(at, part) as never;
  const badToken = (name: string, at: number, part: unknown) =>
    badWire(name, 'token', tokenBodyCodec, withField(tokenBodyCodec.write(token), at, part));
  const badIou = (name: string, at: number, part: unknown) =>
    badWire(name, 'iou', iouBodyCodec, withField(iouBodyCodec.write(iou), at, part));
  const [, from] = iouBodyCodec.write(iou) as unknown as unknown[];
  return [
    badToken('over before it begins', 4, token.issued),
    badToken('a serial of 15 bytes', 2, ramp(15)),
    badIou('a debt to oneself', 0, from),
    badIou('a debt of nothing', 2, 0),
    badIou('a unit with a capital letter', 3, 'EUR'),
    badIou('a unit of 17 letters', 3, 'x'.repeat(17)),
    badWire('a fourth kind of payment', 'payment', paymentCodec, [3, []]),
    badWire('129 revoked tokens', 'word', wordCodec, [3, [Array(129).fill(ramp(16))]]),
    badWire('a key of 31 bytes', 'offers-answer', offersAnswerCodec, [1, [ramp(31)]]),
  ];
}

export const offersIdentities = (): readonly unknown[] => [
  {
    name: 'signed token',
    body: toJson(token),
    hash: signed.token.hash,
    hex: toHex(signed.token.bytes),
  },
  { name: 'signed iou', body: toJson(iou), hash: signed.iou.hash, hex: toHex(signed.iou.bytes) },
  {
    name: 'signed acquittal',
    ...{ body: toJson(acquittal), hash: signed.acquittal.hash },
    hex: toHex(signed.acquittal.bytes),
  },
];
