/**
 * The classes of edge cases that Wycheproof and "Taming the Many EdDSAs" (2020) have for Ed25519,
 * made here: no package of the registry ships those files.
 */
import { createHash } from 'node:crypto';
import { concatBytes, fromHex, toHex, utf8 } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { peerIdOf, signingKeyFromSeed, verify } from './index.ts';

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const ZEROS = '00'.repeat(31);
const ONES = 'ff'.repeat(30);
const LOW_ORDER = [
  `00${ZEROS}`,
  `01${ZEROS}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${ONES}7f`,
  `ed${ONES}7f`,
  `ee${ONES}7f`,
];
const key = signingKeyFromSeed(new Uint8Array(32).fill(5));
const message = utf8('precommit');
const signature = key.sign(message);

const toNumber = (bytes: Uint8Array): bigint =>
  BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
const toBytes = (value: bigint): Uint8Array =>
  fromHex(value.toString(16).padStart(64, '0')).reverse();

test('RFC 8032 §7.1, TEST SHA(abc)', () => {
  const seed = fromHex('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42');
  const hash = new Uint8Array(createHash('sha512').update('abc').digest());
  expect(toHex(signingKeyFromSeed(seed).sign(hash))).toBe(
    'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589' +
      '09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  );
});

describe('one message has one signature', () => {
  const [r, s] = [signature.subarray(0, 32), toNumber(signature.subarray(32))];

  test.each([1n, 2n, 4n, 8n, 15n])('S plus %s times the order is refused', (times) => {
    const moved = s + times * ORDER;
    if (moved >= 2n ** 256n) throw new Error('not in 32 bytes');
    expect(verify(key.peerId, message, concatBytes(r, toBytes(moved)))).toBe(false);
  });

  test('S of zero, of the order, and its negative are refused', () => {
    for (const other of [0n, ORDER, ORDER - s, 2n ** 256n - 1n]) {
      expect(verify(key.peerId, message, concatBytes(r, toBytes(other)))).toBe(false);
    }
  });

  test('another R is refused: its sign, low order, not on the curve', () => {
    const flipped = Uint8Array.from(r);
    flipped[31]! ^= 0x80;
    const others = [flipped, ...LOW_ORDER.map(fromHex), fromHex(`02${ZEROS}`)];
    for (const other of others) {
      expect(verify(key.peerId, message, concatBytes(other, toBytes(s)))).toBe(false);
    }
  });

  test('one byte less or more is refused', () => {
    for (const wrong of [signature.subarray(0, 63), concatBytes(signature, Uint8Array.of(0))]) {
      expect(verify(key.peerId, message, wrong)).toBe(false);
    }
    expect(verify(key.peerId, message, signature)).toBe(true);
  });
});

test('nobody signs for a key of low order', () => {
  // With S = 0 and such an R, OpenSSL takes most of these for signatures of most messages.
  for (const low of LOW_ORDER) {
    for (const sign of [0, 0x80]) {
      const raw = fromHex(low);
      raw[31]! |= sign;
      const peer = peerIdOf(raw);
      for (const r of LOW_ORDER) {
        const forged = concatBytes(fromHex(r), new Uint8Array(32));
        for (let i = 0; i < 16; i++) expect(verify(peer, Uint8Array.of(i), forged)).toBe(false);
      }
    }
  }
});
