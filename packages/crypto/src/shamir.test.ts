import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineShares, keystream, Secret, splitSecret } from './index.ts';

const random = (length: number, seed: number): Uint8Array =>
  keystream(new Secret(new Uint8Array(32).fill(seed)), 0, length);

/** A secret, a plan, and the order in which shares come back. */
const cases = fc
  .record({
    secret: fc.uint8Array({ minLength: 1, maxLength: 40, size: 'max' }),
    count: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(255),
  })
  .chain(({ secret, count, seed }) =>
    fc.record({
      secret: fc.constant(secret),
      seed: fc.constant(seed),
      count: fc.constant(count),
      threshold: fc.integer({ min: 1, max: count }),
      order: fc.shuffledSubarray(
        Array.from({ length: count }, (_, i) => i),
        { minLength: count },
      ),
    }),
  );

describe('Shamir', () => {
  test('any threshold of the shares gives the secret', () => {
    fc.assert(
      fc.property(cases, ({ secret, count, threshold, order, seed }) => {
        const coefficients = random((threshold - 1) * secret.length, seed);
        const shares = splitSecret(secret, { threshold, count }, coefficients);
        const some = order.slice(0, threshold).map((i) => ({ x: i + 1, share: shares[i]! }));
        expect(combineShares(some, threshold)).toEqual(secret);
      }),
    );
  });

  test('threshold − 1 shares are consistent with every secret', () => {
    // Hand the missing share every value: each candidate secret byte comes out exactly once.
    const secret = new Uint8Array([42]);
    const shares = splitSecret(secret, { threshold: 3, count: 5 }, random(2, 1));
    const known = [1, 3].map((i) => ({ x: i + 1, share: shares[i]! }));
    const secrets = new Set<number>();
    for (let guess = 0; guess < 256; guess++) {
      const share = new Uint8Array([guess]);
      secrets.add(combineShares([...known, { x: 5, share }], 3)[0]!);
    }
    expect(secrets.size).toBe(256);
  });

  test('too few shares, taken as if they sufficed, give another secret', () => {
    const secret = new Uint8Array(32).fill(7);
    const shares = splitSecret(secret, { threshold: 5, count: 9 }, random(4 * 32, 2));
    const few = shares.slice(0, 4).map((share, i) => ({ x: i + 1, share }));
    expect(combineShares(few, 4)).not.toEqual(secret);
  });

  test('a straight line by hand: f(x) = 0x53 + 0xca·x in GF(2^8)', () => {
    // 0x53 · 0xca = 1 (FIPS 197), so f(0x53) = 0x53 + 1.
    const shares = splitSecret(
      new Uint8Array([0x53]),
      { threshold: 2, count: 255 },
      new Uint8Array([0xca]),
    );
    expect(shares[0]![0]).toBe(0x53 ^ 0xca);
    expect(shares[0x52]![0]).toBe(0x53 ^ 1);
  });

  test('misuse is a bug of ours', () => {
    const secret = new Uint8Array(2);
    expect(() => splitSecret(secret, { threshold: 2, count: 256 }, secret)).toThrow(/shares/);
    expect(() => splitSecret(secret, { threshold: 3, count: 2 }, secret)).toThrow(/shares/);
    expect(() => splitSecret(secret, { threshold: 2, count: 2 }, new Uint8Array(1))).toThrow();
    const share = { x: 1, share: secret };
    expect(() => combineShares([share], 2)).toThrow(/1 shares of 2/);
    expect(() => combineShares([share, share], 2)).toThrow(/one place/);
    expect(() => combineShares([{ x: 0, share: secret }], 1)).toThrow(/share at 0/);
    expect(() => combineShares([share, { x: 2, share: new Uint8Array(3) }], 2)).toThrow(/beside/);
  });
});
