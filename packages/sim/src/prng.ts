import { assert, concatBytes, type Random, u32be, utf8 } from '@starling/core';
import { keystream, Secret, sha256 } from '@starling/crypto';

const MASK = (1n << 64n) - 1n;

/** SplitMix64 (Steele, Lea, Flood 2014): draws faults and delays, never key material. */
export class Prng {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed & MASK;
  }

  next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    assert(bound > 0, 'empty range');
    return Number(this.next() % BigInt(bound));
  }

  /** A number in [0, 1) with 53 random bits. */
  unit(): number {
    return Number(this.next() >> 11n) / 2 ** 53;
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A stream of its own: a draw more in one place does not reshuffle the others. */
  fork(): Prng {
    return new Prng(this.next());
  }
}

/** Bytes that look random and follow from the seed; stands in for the system's generator. */
export function seededRandom(seed: number, peer: number, boot: number): Random {
  const label = concatBytes(utf8('starling/sim/random'), u32be(seed), u32be(peer), u32be(boot));
  const secret = new Secret(sha256(label));
  let at = 0;
  return {
    bytes(length) {
      const out = keystream(secret, at, length);
      at += length;
      return out;
    },
  };
}
