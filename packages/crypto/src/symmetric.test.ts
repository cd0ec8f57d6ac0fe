import { inspect } from 'node:util';
import { concatBytes, fromHex, toHex, utf8 } from '@starling/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deriveSecret,
  hashHex,
  keystream,
  keystreamFrom,
  open,
  Secret,
  seal,
  sha256,
} from './index.ts';

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('hash', () => {
  test('FIPS 180-4 vector, whole and in parts', () => {
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(hashHex(utf8('abc'))).toBe(abc);
    expect(toHex(sha256(utf8('a'), utf8(''), utf8('bc')))).toBe(abc);
    expect(sha256()).not.toBeInstanceOf(Buffer);
  });
});

describe('Secret', () => {
  test('never prints', () => {
    const secret = new Secret(utf8('hunter2hunter2'));
    const printed = [
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: [{ secret }] }, { depth: 9, showHidden: true }),
      JSON.stringify(Object.entries(secret)),
      new Error(`bad ${secret}`).message,
    ].join('\n');
    expect(printed).toContain('[secret]');
    expect(printed).not.toMatch(/hunter|104,\s*117|68756e/);
  });

  test('keeps a copy, compares, and is gone after wipe', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const secret = new Secret(bytes);
    bytes.fill(9);
    expect(secret.reveal()).toEqual(new Uint8Array([1, 2, 3]));
    expect(secret.equals(new Secret(new Uint8Array([1, 2, 3])))).toBe(true);
    expect(secret.equals(new Secret(new Uint8Array([1, 2, 4])))).toBe(false);
    expect(secret.equals(new Secret(new Uint8Array([1, 2])))).toBe(false);
    const view = secret.reveal();
    secret.wipe();
    expect(view).toEqual(new Uint8Array(3));
    expect(() => secret.reveal()).toThrow(/wiped/);
  });
});

describe('deriveSecret', () => {
  test('RFC 5869 test case 3 (no salt, no info)', () => {
    const okm = deriveSecret(new Uint8Array(22).fill(0x0b), new Uint8Array(0), 42);
    expect(toHex(okm.reveal())).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    );
  });

  test('a Secret and its bytes derive the same; another info derives another', () => {
    const input = new Uint8Array(32).fill(4);
    const one = deriveSecret(new Secret(input), utf8('a'));
    expect(one.equals(deriveSecret(input, utf8('a')))).toBe(true);
    expect(one.equals(deriveSecret(input, utf8('b')))).toBe(false);
  });
});

describe('seal', () => {
  test('zero plaintext shows RFC 8439 A.1 test vector 2 (zero key and nonce, counter 1)', () => {
    const sealed = seal(new Secret(new Uint8Array(32)), new Uint8Array(64), new Uint8Array(0));
    expect(sealed.length).toBe(80);
    expect(toHex(sealed.subarray(0, 64))).toBe(
      '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed' +
        '29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f',
    );
  });

  test('opens what was sealed and nothing that differs in one bit', () => {
    const any = fc.uint8Array({ maxLength: 100, size: 'max' });
    fc.assert(
      fc.property(bytes32, any, any, fc.nat(), (raw, plaintext, associated, place) => {
        const key = new Secret(raw);
        const sealed = seal(key, plaintext, associated);
        expect(open(key, sealed, associated)).toEqual(plaintext);
        const forged = Uint8Array.from(sealed);
        forged[place % forged.length]! ^= 1 << (place % 8);
        expect(open(key, forged, associated)).toBeUndefined();
        expect(open(key, sealed, concatBytes(associated, utf8('x')))).toBeUndefined();
        expect(open(key, sealed.subarray(1), associated)).toBeUndefined();
      }),
    );
    expect(open(new Secret(new Uint8Array(32)), new Uint8Array(15), utf8(''))).toBeUndefined();
  });
});

describe('keystream', () => {
  test('AES-256 of counters 0, 1, 2 under the zero key (AESAVS; GCM test cases 13, 14)', () => {
    expect(toHex(keystream(new Secret(new Uint8Array(32)), 0, 48))).toBe(
      'dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738b' +
        'cea7403d4d606b6e074ec5d3baf39d18',
    );
  });

  test('any stretch is the slice of the whole, whatever the pieces read', () => {
    const whole = keystream(new Secret(fromHex('01'.repeat(32))), 0, 300_000);
    const seed = new Secret(fromHex('01'.repeat(32)));
    fc.assert(
      fc.property(fc.nat(160_000), fc.nat(140_000), fc.nat(200), (offset, length, first) => {
        const expected = whole.subarray(offset, offset + length);
        expect(Buffer.compare(keystream(seed, offset, length), expected)).toBe(0);
        const reader = keystreamFrom(seed, offset);
        const pieces = concatBytes(reader.next(Math.min(first, length)));
        const rest = reader.next(length - pieces.length);
        expect(Buffer.compare(concatBytes(pieces, rest), expected)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  test('far offsets count blocks beyond 32 bits', () => {
    const seed = new Secret(new Uint8Array(32).fill(8));
    const far = 2 ** 40 + 5;
    expect(keystream(seed, far, 20).subarray(3)).toEqual(keystream(seed, far + 3, 17));
    expect(keystream(seed, far, 20)).not.toEqual(keystream(seed, 5, 20));
    expect(() => keystream(seed, -1, 1)).toThrow(/offset/);
  });
});
