import { fromHex, toHex } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { revive, vectorsBeside } from '../../../test/helpers/vectors.ts';
import {
  type AccessToken,
  type AcquittalBody,
  type IouBody,
  readAcquittal,
  readIou,
  readToken,
  serialOf,
  signAcquittal,
  signIou,
  signToken,
  TOKEN_TOLERANCE_SECONDS,
  type TokenBody,
  type TokenCheck,
  tokenFault,
} from './index.ts';

const { read } = vectorsBeside(import.meta.url);
const [publisher, other, third] = [1, 2, 3].map((first) =>
  signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, i) => first + i)),
) as [Key, Key, Key];
type Key = ReturnType<typeof signingKeyFromSeed>;

interface Identity {
  readonly name: string;
  readonly body: unknown;
  readonly hash: string;
  readonly hex: string;
}
const identity = (name: string): Identity =>
  read<Identity>('identities.json').find((entry) => entry.name === `signed ${name}`)!;
const tokenBody = revive(identity('token').body) as TokenBody;

const FORMS = [
  ['token', signToken(tokenBody, publisher), readToken],
  ['iou', signIou(revive(identity('iou').body) as IouBody, other), readIou],
  [
    'acquittal',
    signAcquittal(revive(identity('acquittal').body) as AcquittalBody, publisher),
    readAcquittal,
  ],
] as const;

describe.each(FORMS)('%s', (name, signed, readIt) => {
  test('signed as published, and read again', () => {
    expect([toHex(signed.bytes), signed.hash]).toEqual([identity(name).hex, identity(name).hash]);
    expect(readIt(fromHex(identity(name).hex))).toEqual(signed);
  });

  test('with any bit changed it is malformed or forged', () => {
    for (let at = 0; at < signed.bytes.length; at++) {
      const flipped = signed.bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      let found: unknown;
      try {
        found = readIt(flipped);
      } catch (error) {
        expect(error).toMatchObject({ name: 'DecodeError' });
      }
      expect(found).toBeUndefined();
    }
  });
});

test('a note of one kind is none of the other', () => {
  const [, [, iou], [, acquittal]] = FORMS;
  const asOther = (readIt: (bytes: Uint8Array) => unknown, bytes: Uint8Array) => {
    try {
      return readIt(bytes);
    } catch {
      return undefined;
    }
  };
  expect(asOther(readAcquittal, iou.bytes)).toBeUndefined();
  expect(asOther(readIou, acquittal.bytes)).toBeUndefined();
});

test('a token opens what it was given for, to whom, while it holds [C-20]', () => {
  const token = signToken(tokenBody, publisher);
  const check: TokenCheck = {
    card: { id: token.card, publisher: publisher.peerId },
    ...{ shower: other.peerId, now: token.issued, isRevoked: () => false },
  };
  const fault = (changes: Partial<TokenCheck>, of: AccessToken = token) =>
    tokenFault(of, { ...check, ...changes });
  expect(fault({})).toBeUndefined();
  const elsewhere = { ...check.card, id: 'ab'.repeat(32) as typeof token.card };
  expect(fault({ card: elsewhere })).toBe('the token is for another model');
  expect(fault({}, signToken(tokenBody, third))).toMatch(/not signed by the publisher/);
  expect(fault({ shower: third.peerId })).toBe('the token was given to another peer');
  const isRevoked = (serial: string) => serial === serialOf(token);
  expect(fault({ isRevoked })).toBe('the publisher has revoked the token');
  const edges = [
    [token.issued - TOKEN_TOLERANCE_SECONDS - 1, /holds later/],
    [token.issued - TOKEN_TOLERANCE_SECONDS, undefined],
    [token.expires + TOKEN_TOLERANCE_SECONDS, undefined],
    [token.expires + TOKEN_TOLERANCE_SECONDS + 1, /expired/],
  ] as const;
  for (const [now, reason] of edges) {
    if (reason === undefined) expect(fault({ now })).toBeUndefined();
    else expect(fault({ now })).toMatch(reason);
  }
});
