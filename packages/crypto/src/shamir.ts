import { assert } from '@starling/core';

/**
 * Products in GF(2^8) modulo x^8+x^4+x^3+x+1 (FIPS 197 §4.2): row a, column b at 256·a + b.
 * Look-ups are not constant time; accepted, since secrets live for one attempt on their own
 * machine.
 */
const PRODUCTS = productTable();
const INVERSES = inverseTable();

function productTable(): Uint8Array {
  const table = new Uint8Array(65536);
  for (let a = 1; a < 256; a++) {
    for (let b = 1; b < 256; b++) {
      let product = 0;
      for (let x = a, y = b; y > 0; y >>= 1) {
        if (y & 1) product ^= x;
        x = (x << 1) ^ (x & 0x80 ? 0x11b : 0);
      }
      table[256 * a + b] = product;
    }
  }
  return table;
}

function inverseTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (let a = 1; a < 256; a++) table[a] = PRODUCTS.indexOf(1, 256 * a) - 256 * a;
  return table;
}

const multiply = (a: number, b: number): number => PRODUCTS[256 * a + b]!;

export interface SharePlan {
  /** Shares that suffice, at least 1. */
  readonly threshold: number;
  /** Shares dealt, at most 255. */
  readonly count: number;
}

/**
 * Shamir's sharing, byte by byte. The answer's entry i belongs to x = i + 1 and is as long as
 * `secret`.
 * @param coefficients uniform random bytes, (threshold − 1) · secret.length of them: first those of
 *   x, then those of x², and so on; used once and forgotten
 */
export function splitSecret(
  secret: Uint8Array,
  { threshold, count }: SharePlan,
  coefficients: Uint8Array,
): Uint8Array[] {
  assert(Number.isInteger(threshold) && threshold >= 1, `share threshold: ${threshold}`);
  assert(Number.isInteger(count) && count >= threshold && count <= 255, `shares: ${count}`);
  const length = secret.length;
  const needed = (threshold - 1) * length;
  assert(coefficients.length === needed, `${coefficients.length} coefficients, need ${needed}`);
  return Array.from({ length: count }, (_, index) => {
    const row = PRODUCTS.subarray(256 * (index + 1), 256 * (index + 2));
    const share = new Uint8Array(length);
    // Horner's rule from the highest power down, all bytes of the secret side by side.
    for (let at = needed - length; at >= 0; at -= length) {
      for (let i = 0; i < length; i++) share[i] = row[share[i]! ^ coefficients[at + i]!]!;
    }
    for (let i = 0; i < length; i++) share[i]! ^= secret[i]!;
    return share;
  });
}

export interface ShareAt {
  /** Index of the holder plus 1. */
  readonly x: number;
  readonly share: Uint8Array;
}

/**
 * The secret from the first `threshold` of `shares`: interpolation at zero. Whether it is the right
 * one shows only in what the caller compares it with; a wrong share gives a wrong secret.
 * @throws InvariantError on too few shares, a repeated or impossible x, or different lengths
 */
export function combineShares(shares: readonly ShareAt[], threshold: number): Uint8Array {
  assert(threshold >= 1 && shares.length >= threshold, `${shares.length} shares of ${threshold}`);
  const used = shares.slice(0, threshold);
  const length = used[0]!.share.length;
  const places = new Set(used.map(({ x }) => x));
  assert(places.size === used.length, 'two shares at one place');
  const secret = new Uint8Array(length);
  for (const { x, share } of used) {
    assert(Number.isInteger(x) && x >= 1 && x <= 255, `share at ${x}`);
    assert(share.length === length, `share of ${share.length} bytes beside one of ${length}`);
    const weight = lagrangeWeightAtZero(x, used);
    const row = PRODUCTS.subarray(256 * weight, 256 * (weight + 1));
    for (let i = 0; i < length; i++) secret[i]! ^= row[share[i]!]!;
  }
  return secret;
}

/** ∏ x_j / (x_j − x) over the other places; subtraction is XOR. */
function lagrangeWeightAtZero(x: number, shares: readonly ShareAt[]): number {
  let weight = 1;
  for (const other of shares) {
    if (other.x !== x) weight = multiply(weight, multiply(other.x, INVERSES[other.x ^ x]!));
  }
  return weight;
}
