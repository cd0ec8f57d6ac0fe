import { type Codec, encodeCanonical, fromHex, LIMITS, toHex } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { revive, vectorsBeside, walkBad, walkGood } from '../../../test/helpers/vectors.ts';
import {
  acquittalBodyCodec,
  type Card,
  cardCodec,
  cardMetricCodec,
  iouBodyCodec,
  isNewerStatement,
  MODELS_LIMITS,
  metricCodec,
  modelsAnswerCodec,
  modelsGossipCodec,
  modelsRequestCodec,
  offersAnswerCodec,
  offersRequestCodec,
  paymentCodec,
  queryCodec,
  readCard,
  readStatement,
  type StatementBody,
  signCard,
  signedCardCodec,
  signedStatementCodec,
  signStatement,
  statementBodyCodec,
  statementFault,
  statementsDigest,
  tokenBodyCodec,
  wordCodec,
} from './index.ts';

const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  card: cardCodec as Codec<unknown>,
  word: wordCodec as Codec<unknown>,
  statement: statementBodyCodec as Codec<unknown>,
  'signed-card': signedCardCodec as Codec<unknown>,
  'signed-statement': signedStatementCodec as Codec<unknown>,
  metric: metricCodec as Codec<unknown>,
  'card-metric': cardMetricCodec as Codec<unknown>,
  query: queryCodec as Codec<unknown>,
  request: modelsRequestCodec as Codec<unknown>,
  answer: modelsAnswerCodec as Codec<unknown>,
  gossip: modelsGossipCodec as Codec<unknown>,
  token: tokenBodyCodec as Codec<unknown>,
  iou: iouBodyCodec as Codec<unknown>,
  acquittal: acquittalBodyCodec as Codec<unknown>,
  payment: paymentCodec as Codec<unknown>,
  'offers-request': offersRequestCodec as Codec<unknown>,
  'offers-answer': offersAnswerCodec as Codec<unknown>,
};
const vectors = { beside: import.meta.url, codecs: CODECS, bytesMax: LIMITS.controlBytesMax };
const { files, read } = vectorsBeside(import.meta.url);

const [publisher, other] = [1, 2].map((first) =>
  signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, i) => first + i)),
) as [ReturnType<typeof signingKeyFromSeed>, ReturnType<typeof signingKeyFromSeed>];

interface Identity {
  readonly name: string;
  readonly hex: string;
  readonly [field: string]: unknown;
}
const identity = (name: string): Identity =>
  read<Identity>('identities.json').find((entry) => entry.name === name)!;
const cardOf = (): Card => revive(identity('signed card')['card']) as Card;
const bodyOf = (kind: string): StatementBody =>
  revive(identity(`signed ${kind}`)['body']) as StatementBody;

/** Every message in which one bit differs. */
function* bitFlips(of: Uint8Array, step: number): Iterable<Uint8Array> {
  for (let at = 0; at < of.length; at += step) {
    const flipped = of.slice();
    flipped[at]! ^= 1 << (at % 8);
    yield flipped;
  }
}

/** Undefined for what is malformed or forged. */
function readOrNothing<T>(readIt: (bytes: Uint8Array) => T, bytes: Uint8Array): T | undefined {
  try {
    return readIt(bytes);
  } catch (error) {
    expect(error).toMatchObject({ name: 'DecodeError' });
    return undefined;
  }
}

test('every file of vectors is walked', () => {
  expect(files).toEqual(['bad.json', 'good.json', 'identities.json']);
});

describe('good vectors', () => walkGood(vectors));
describe('bad vectors [C-1] [C-3]', () => walkBad(vectors));

describe('cards', () => {
  test('signed as published, and read again', () => {
    const { id, hex } = identity('signed card');
    const signed = signCard(cardOf(), publisher);
    expect(toHex(signed.bytes)).toBe(hex);
    expect(signed.id).toBe(id);
    expect(readCard(fromHex(hex))).toEqual(signed);
  });

  test('with any bit changed it is malformed or forged [C-2]', () => {
    const { bytes } = signCard(cardOf(), publisher);
    for (const flipped of bitFlips(bytes, 3)) {
      expect(readOrNothing(readCard, flipped)).toBeUndefined();
    }
  });

  test('the largest there can be fits a gossip message', () => {
    // Three bytes a character is the most that UTF-8 makes of a UTF-16 unit.
    const long = (length: number) => '€'.repeat(length);
    const M = MODELS_LIMITS;
    const value = (i: number) => ({
      name: `${i}${long(M.valueNameCharsMax - 2)}`,
      type: 'float32' as const,
      shape: Array<number>(M.rankMax).fill(2 ** 32 - 1),
    });
    const values = Array.from({ length: M.valuesMax }, (_, i) => value(i));
    const base = cardOf();
    const card: Card = {
      ...base,
      name: 'n'.repeat(M.nameCharsMax),
      task: long(M.taskCharsMax),
      summary: long(M.summaryCharsMax),
      tags: Array.from({ length: M.tagsMax }, (_, i) => `${i}`.padEnd(M.tagCharsMax, 't')),
      ...{ inputs: values, outputs: values },
      parents: Array.from({ length: M.parentsMax }, (_, i) =>
        i.toString(16).repeat(64),
      ) as unknown as Card['parents'],
      data: long(M.dataCharsMax),
      metrics: Array.from({ length: M.metricsMax }, () => ({
        name: 'm'.repeat(M.metricNameCharsMax),
        value: 1 / 3,
        on: long(M.metricOnCharsMax),
        certified: 1_000_000,
      })),
      privacy: { mechanism: long(M.mechanismCharsMax), epsilon: 1 / 3, delta: 1e-5 },
      licence: long(M.licenceCharsMax),
    };
    const { bytes } = signCard(card, publisher);
    expect(readCard(bytes)?.card).toEqual(card);
    const gossip = encodeCanonical(modelsGossipCodec, { kind: 'card', card: bytes });
    expect(gossip.length).toBeGreaterThan(20_000);
    expect(gossip.length).toBeLessThanOrEqual(LIMITS.controlBytesMax);
  });
});

describe('statements', () => {
  test.each([
    ['vouch', other],
    ['deprecate', publisher],
  ] as const)('%s: signed as published, and read again', (kind, key) => {
    const { hash, hex } = identity(`signed ${kind}`);
    const signed = signStatement(bodyOf(kind), key);
    expect(toHex(signed.bytes)).toBe(hex);
    expect(signed.hash).toBe(hash);
    expect(readStatement(fromHex(hex))).toEqual(signed);
  });

  test('with any bit changed it is malformed or forged [C-5]', () => {
    const { bytes } = signStatement(bodyOf('vouch'), other);
    for (const flipped of bitFlips(bytes, 1)) {
      expect(readOrNothing(readStatement, flipped)).toBeUndefined();
    }
  });

  test('the publisher deprecates, everybody else vouches [C-6]', () => {
    const about = signCard(cardOf(), publisher);
    const fault = (kind: string, key: typeof other) =>
      statementFault(signStatement(bodyOf(kind), key), about);
    expect(fault('vouch', other)).toBeUndefined();
    expect(fault('deprecate', publisher)).toBeUndefined();
    expect(fault('vouch', publisher)).toBe('nobody vouches for its own card');
    expect(fault('deprecate', other)).toBe('only the publisher deprecates');
    const elsewhere = signCard({ ...cardOf(), version: 7 }, publisher);
    const stray = signStatement(bodyOf('vouch'), other);
    expect(statementFault(stray, elsewhere)).toBe('it is about another card');
  });

  test('the greater count goes first, then the greater bytes: everywhere the same [C-7]', () => {
    const body = bodyOf('vouch');
    const first = signStatement(body, other);
    const later = signStatement({ ...body, count: body.count + 1, at: 0 }, other);
    const rival = signStatement({ ...body, at: body.at + 1 }, other);
    expect(isNewerStatement(later, first)).toBe(true);
    expect(isNewerStatement(first, later)).toBe(false);
    expect(isNewerStatement(first, rival)).not.toBe(isNewerStatement(rival, first));
    expect(isNewerStatement(first, first)).toBe(false);
  });

  test('the digest is of what is held, in whatever order it came', () => {
    const held = ['vouch', 'deprecate'].map((kind) =>
      signStatement(bodyOf(kind), kind === 'vouch' ? other : publisher),
    );
    const { digest } = identity('digest of statements');
    expect(toHex(statementsDigest(held))).toBe(digest);
    expect(toHex(statementsDigest(held.toReversed()))).toBe(digest);
    expect(toHex(statementsDigest(held.slice(1)))).not.toBe(digest);
  });
});
