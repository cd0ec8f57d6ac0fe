import { fromHex, type PeerId, toHex, utf8 } from '@starling/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  agreementKeyFromSeed,
  parsePeerId,
  peerIdOf,
  publicKeyOf,
  signingKeyFromSeed,
  verify,
} from './index.ts';

/** RFC 8032 §7.1, tests 1 to 3. */
const ED25519 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
      '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
      '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

describe('signatures', () => {
  test.each(ED25519)('RFC 8032 vector of message "$message"', (vector) => {
    const key = signingKeyFromSeed(fromHex(vector.seed));
    const message = fromHex(vector.message);
    expect(toHex(key.publicKey)).toBe(vector.publicKey);
    expect(toHex(key.sign(message))).toBe(vector.signature);
    expect(verify(key.peerId, message, fromHex(vector.signature))).toBe(true);
  });

  test('any flipped bit of message or signature is refused', () => {
    const key = signingKeyFromSeed(new Uint8Array(32).fill(1));
    const message = utf8('precommit');
    const signature = key.sign(message);
    fc.assert(
      fc.property(fc.nat(63), fc.nat(7), (byte, bit) => {
        const forged = Uint8Array.from(signature);
        forged[byte]! ^= 1 << bit;
        expect(verify(key.peerId, message, forged)).toBe(false);
      }),
    );
    expect(verify(key.peerId, utf8('precommiT'), signature)).toBe(false);
    const other = signingKeyFromSeed(new Uint8Array(32).fill(2));
    expect(verify(other.peerId, message, signature)).toBe(false);
  });

  test('bad names and bad lengths are false, never an exception', () => {
    const any = fc.uint8Array({ maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(fc.string({ maxLength: 60, size: 'max' }), any, (name, signature) => {
        expect(verify(name as PeerId, utf8('m'), signature)).toBe(false);
      }),
    );
    // y = 2 is not on the curve: a well-formed name of no key.
    const offCurve = peerIdOf(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 2 : 0)));
    expect(verify(offCurve, utf8('m'), new Uint8Array(64))).toBe(false);
  });

  test('more names than the cache holds still verify', () => {
    const first = signingKeyFromSeed(new Uint8Array(32).fill(3));
    const message = utf8('m');
    const signature = first.sign(message);
    expect(verify(first.peerId, message, signature)).toBe(true);
    for (let i = 0; i < 1100; i++) {
      const name = peerIdOf(Uint8Array.from({ length: 32 }, (_, j) => (j < 2 ? i >> (8 * j) : 9)));
      verify(name, message, signature);
    }
    expect(verify(first.peerId, message, signature)).toBe(true);
  });
});

describe('peer ids', () => {
  test('the text is libp2p’s (recorded from @libp2p/peer-id 6)', () => {
    const { peerId, publicKey } = signingKeyFromSeed(new Uint8Array(32).fill(7));
    expect(peerId).toBe('12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7');
    expect(publicKeyOf(peerId)).toEqual(publicKey);
  });

  test('every 32 bytes have one name and come back from it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
        const peerId = peerIdOf(raw);
        expect(parsePeerId(peerId)).toBe(peerId);
        expect(publicKeyOf(peerId)).toEqual(raw);
      }),
    );
  });

  test('other text is refused', () => {
    const good = peerIdOf(new Uint8Array(32).fill(5));
    const bad = ['', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', `${good}1`, `1${good}`];
    for (const text of [...bad, good.replace(/.$/, '0'), `z${good.slice(1)}`, 'é'.repeat(52)]) {
      expect(parsePeerId(text)).toBeUndefined();
    }
    expect(() => publicKeyOf('no' as PeerId)).toThrow(/peer id/);
  });
});

describe('agreement', () => {
  /** RFC 7748 §6.1. */
  test('RFC 7748 vector', () => {
    const alice = agreementKeyFromSeed(
      fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
    );
    const bob = agreementKeyFromSeed(
      fromHex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
    );
    expect(toHex(alice.publicKey)).toBe(
      '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
    );
    expect(toHex(bob.publicKey)).toBe(
      'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
    );
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect(toHex(alice.agree(bob.publicKey)!.reveal())).toBe(shared);
    expect(toHex(bob.agree(alice.publicKey)!.reveal())).toBe(shared);
  });

  test('points of low order and wrong lengths have no secret', () => {
    const key = agreementKeyFromSeed(new Uint8Array(32).fill(1));
    const lowOrder = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
    ];
    for (const point of lowOrder) expect(key.agree(fromHex(point))).toBeUndefined();
    for (const length of [0, 31, 33]) expect(key.agree(new Uint8Array(length))).toBeUndefined();
  });
});
