/** Answers that others published or compute: RFCs, OpenSSL's program, an audited package. */
import { execFileSync } from 'node:child_process';
import { createCipheriv, hkdfSync } from 'node:crypto';
import { fromHex, toHex, utf8 } from '@starling/core';
import { combine, split } from 'shamir-secret-sharing';
import { describe, expect, test } from 'vitest';
import {
  agreementKeyFromSeed,
  combineShares,
  deriveSecret,
  keystream,
  open,
  Secret,
  seal,
  splitSecret,
} from './index.ts';

const bytesTo = (count: number, from = 0) => Uint8Array.from({ length: count }, (_, i) => from + i);

describe('X25519', () => {
  /** RFC 7748 §5.2: scalar, point, product. */
  test.each([
    [
      'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    ],
    [
      '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    ],
  ])('RFC 7748 §5.2, scalar %s', (scalar, point, product) => {
    const shared = agreementKeyFromSeed(fromHex(scalar)).agree(fromHex(point));
    expect(toHex(shared!.reveal())).toBe(product);
  });

  /** RFC 7748 §5.2: k and u start as 9; then the product is the scalar, the scalar the point. */
  test('RFC 7748 §5.2, a thousand times over', () => {
    let [scalar, point] = [Uint8Array.from([9, ...new Array(31).fill(0)]), new Uint8Array(0)];
    point = scalar;
    const after = new Map<number, string>();
    for (let i = 1; i <= 1_000; i++) {
      const product = agreementKeyFromSeed(scalar).agree(point)!.reveal();
      [scalar, point] = [Uint8Array.from(product), scalar];
      if (i === 1 || i === 1_000) after.set(i, toHex(scalar));
    }
    expect(after.get(1)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
    expect(after.get(1_000)).toBe(
      '684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51',
    );
  });
});

describe('HKDF with SHA-256', () => {
  test('RFC 5869 test case 3 through deriveSecret, 1 and 2 through what it calls', () => {
    const okm = (...[key, salt, info, length]: [Uint8Array, Uint8Array, Uint8Array, number]) =>
      toHex(new Uint8Array(hkdfSync('sha256', key, salt, info, length)));
    const ikm = new Uint8Array(22).fill(0x0b);
    expect(okm(ikm, bytesTo(13), bytesTo(10, 0xf0), 42)).toBe(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    );
    expect(okm(bytesTo(80), bytesTo(80, 0x60), bytesTo(80, 0xb0), 82)).toBe(
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c' +
        '59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71' +
        'cc30c58179ec3e87c14c01d5c1f3434f1d87',
    );
    expect(toHex(deriveSecret(ikm, new Uint8Array(0), 42).reveal())).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    );
  });

  test('our salt is absent, which is as many zeros (RFC 5869 §2.2)', () => {
    const info = utf8('starling');
    const zeros = hkdfSync('sha256', bytesTo(32), new Uint8Array(32), info, 64);
    expect(deriveSecret(bytesTo(32), info, 64).reveal()).toEqual(new Uint8Array(zeros));
  });
});

describe('ChaCha20-Poly1305', () => {
  /** RFC 8439 §2.8.2 has a nonce; ours is zero, so the cipher itself is held against it. */
  test('RFC 8439 §2.8.2', () => {
    const nonce = fromHex('070000004041424344454647');
    const options = { authTagLength: 16 };
    const cipher = createCipheriv('chacha20-poly1305', bytesTo(32, 0x80), nonce, options);
    const plaintext = utf8(
      'Ladies and Gentlemen of the class of ’99: If I could offer you only one tip for the ' +
        'future, sunscreen would be it.',
    );
    const ascii = Buffer.from(Buffer.from(plaintext).toString().replace('’', "'"));
    cipher.setAAD(fromHex('50515253c0c1c2c3c4c5c6c7'), { plaintextLength: ascii.length });
    const body = Buffer.concat([cipher.update(ascii), cipher.final()]);
    expect(toHex(body.subarray(0, 16))).toBe('d31a8d34648e60db7b86afbc53ef7ec2');
    expect(toHex(cipher.getAuthTag())).toBe('1ae10b594f09e26a7e902ecbd0600691');
  });

  /** RFC 8439 §2.5 by hand, beside our zero nonce: tag = Poly1305 of what §2.8 lays out. */
  test('the tag is Poly1305 under the first block of the key stream', () => {
    const key = new Secret(bytesTo(32, 0x80));
    const associated = utf8('session 7, from 1 to 2');
    const sealed = seal(key, bytesTo(50), associated);
    const body = sealed.subarray(0, 50);
    const block = createCipheriv('chacha20', key.reveal(), new Uint8Array(16));
    const oneTime = block.update(new Uint8Array(32));
    const padded = (bytes: Uint8Array) =>
      Buffer.concat([bytes, Buffer.alloc((16 - (bytes.length % 16)) % 16)]);
    const lengths = Buffer.alloc(16);
    lengths.writeBigUInt64LE(BigInt(associated.length), 0);
    lengths.writeBigUInt64LE(50n, 8);
    const message = Buffer.concat([padded(associated), padded(body), lengths]);
    expect(toHex(sealed.subarray(50))).toBe(toHex(poly1305(oneTime, message)));
  });

  test('tags that are cut, longer, or moved by a byte open nothing', () => {
    const key = new Secret(bytesTo(32));
    const sealed = seal(key, bytesTo(40), utf8('a'));
    for (let length = 0; length < sealed.length; length++) {
      expect(open(key, sealed.subarray(0, length), utf8('a'))).toBeUndefined();
    }
    expect(open(key, Uint8Array.from([...sealed, 0]), utf8('a'))).toBeUndefined();
    expect(open(key, Uint8Array.from([0, ...sealed]), utf8('a'))).toBeUndefined();
    expect(open(key, sealed, utf8('a'))).toEqual(bytesTo(40));
  });
});

/** RFC 8439 §2.5.1, in whole numbers. */
function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  const number = (bytes: Uint8Array) => BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = Uint8Array.from([...message.subarray(at, at + 16), 1]);
    sum = ((sum + number(block)) * r) % (2n ** 130n - 5n);
  }
  const tag = BigInt.asUintN(128, sum + number(key.subarray(16, 32)));
  return fromHex(tag.toString(16).padStart(32, '0')).reverse();
}

test('the key stream is what OpenSSL’s program encrypts zeros to', () => {
  const seed = bytesTo(32, 7);
  for (const offset of [0, 16, 2 ** 20, 16 * (2 ** 32 - 1), 2 ** 44]) {
    const counter = (offset / 16).toString(16).padStart(32, '0');
    const key = ['-K', toHex(seed), '-iv', counter, '-nopad'];
    const theirs = execFileSync('openssl', ['enc', '-aes-256-ctr', ...key], {
      input: new Uint8Array(200_000),
      maxBuffer: 2 ** 20,
    });
    const ours = keystream(new Secret(seed), offset, 200_000);
    expect(Buffer.compare(theirs, ours)).toBe(0);
  }
});

describe('Shamir beside shamir-secret-sharing, which others have audited', () => {
  const secret = bytesTo(32, 100);

  test('their shares give the secret here', async () => {
    for (const [count, threshold] of [
      [2, 2],
      [5, 3],
      [128, 86],
    ] as const) {
      // A share of theirs ends in its place.
      const shares = (await split(secret, count, threshold)).map((share) => ({
        x: share.at(-1)!,
        share: share.subarray(0, -1),
      }));
      expect(combineShares(shares.slice(-threshold), threshold)).toEqual(secret);
    }
  });

  test('our shares give the secret there', async () => {
    const plan = { threshold: 43, count: 64 };
    const coefficients = keystream(new Secret(bytesTo(32)), 0, 42 * 32);
    const shares = splitSecret(secret, plan, coefficients).map((share, i) =>
      Uint8Array.from([...share, i + 1]),
    );
    expect(await combine(shares.slice(11, 54))).toEqual(secret);
    expect(await combine(shares.slice(0, 42))).not.toEqual(secret);
  });
});
