/**
 * Flaws that masks of others have, and ours must not: Flower's SecAgg+ draws them from a Mersenne
 * Twister with a 32-bit seed and never draws one residue; DisCo takes one 47-bit seed for every
 * tensor. All seeds are fixed: six standard deviations here are a fault, not bad luck.
 */
import { toHex } from '@starling/core';
import { Secret } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { addMask, bytesOfWords } from './ring/index.ts';
import { edgeSeed, maskKeyOf, maskKeySeedOf, ownEdgeSeed, selfMaskOf } from './secrets.ts';
import { cellConfigs, runCell } from './testing/cell.ts';
import { createDice } from './testing/random.ts';
import type { SessionConfig } from './types.ts';

const SIGMAS = 6;
const MEMBERS = 4;
const configs = cellConfigs({ members: MEMBERS, seed: 71 });
const seedOf = (fill: number): Secret => new Secret(createDice(fill).bytes(32));

/** Pearson's statistic of equally likely cells, in standard deviations from what is expected. */
function deviation(counts: Uint32Array): number {
  const expected = counts.reduce((sum, n) => sum + n, 0) / counts.length;
  const statistic = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  return (statistic - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1));
}

/** How often each residue modulo 2^`bits` occurs in `words`, after a shift to the right. */
function countsOf(words: Uint32Array | Uint8Array, bits: number, shift = 0): Uint32Array {
  const counts = new Uint32Array(2 ** bits);
  const last = 2 ** bits - 1;
  for (const word of words) counts[(word >>> shift) & last]!++;
  return counts;
}

/** `count` words of the mask of a seed, from word `offset` on. */
function maskOf(seed: Secret, count: number, sign: 1 | -1 = 1, offset = 0): Uint32Array {
  const words = new Uint32Array(count);
  addMask(words, seed, offset, sign);
  return words;
}

/** The first `bytes` of the keystream, as the kernels add it. */
const streamOf = (seed: Secret, bytes: number): Uint8Array => bytesOfWords(maskOf(seed, bytes / 4));

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ b[i]!);
const ones = (byte: number): number => byte.toString(2).replaceAll('0', '').length;

/** How far two streams are from differing in half of their bits, in standard deviations. */
function distance(a: Uint8Array, b: Uint8Array): number {
  const changed = xor(a, b).reduce((sum, byte) => sum + ones(byte), 0);
  // Each of n bits changes with probability 1/2: standard deviation √n / 2.
  return Math.abs(changed - 4 * a.length) / (Math.sqrt(8 * a.length) / 2);
}

/** For each bit of `seed`: `distance` of what follows from it with that bit and without. */
function avalanche(seed: Uint8Array, output: (seed: Uint8Array) => Uint8Array): readonly number[] {
  const plain = output(seed);
  return Array.from({ length: 8 * seed.length }, (_, bit) => {
    const flipped = seed.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    return distance(plain, output(flipped));
  });
}

describe('a seed', () => {
  test('has 32 bytes, of a pair and of one member alike', () => {
    const [config] = configs as [SessionConfig];
    const key = maskKeyOf(config.seed);
    expect(edgeSeed(config, 0, key, 1)!.reveal()).toHaveLength(32);
    expect(selfMaskOf(config.seed).reveal()).toHaveLength(32);
  });

  const seed = seedOf(1).reveal();
  const mask = (bytes: Uint8Array) => streamOf(new Secret(bytes), 2_048);

  test('matters in each of its 256 bits: one flipped changes half of the keystream', () => {
    const distances = avalanche(seed, mask);
    expect(distances).toHaveLength(256);
    expect(Math.max(...distances)).toBeLessThan(SIGMAS);
  });

  test('of a member matters so too, for its self-mask and for its edges', () => {
    const [config] = configs as [SessionConfig];
    const selfMask = (bytes: Uint8Array) => selfMaskOf(new Secret(bytes)).reveal();
    const edge = (bytes: Uint8Array) =>
      edgeSeed(config, 0, maskKeyOf(new Secret(bytes)), 1)!.reveal();
    for (const output of [selfMask, edge]) {
      expect(Math.max(...avalanche(seed, output))).toBeLessThan(SIGMAS);
    }
  });

  test.each([32, 47])('of which only %i bits counted would be seen', (bits) => {
    const folded = (bytes: Uint8Array) =>
      mask(bytes.map((byte, i) => byte & ~(-1 << Math.max(0, Math.min(8, bits - 8 * i)))));
    const dead = avalanche(seed, folded).filter((sigmas) => sigmas > SIGMAS);
    expect(dead).toHaveLength(256 - bits);
  });
});

const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
/** What an edge seed is bound to, each changed as little as can be. */
const CHANGES: Readonly<Record<string, (config: SessionConfig) => Partial<SessionConfig>>> = {
  nothing: () => ({}),
  attempt: ({ attempt }) => ({ attempt: attempt + 1 }),
  round: ({ roundId }) => ({ roundId: flip(roundId) }),
  model: ({ context }) => ({ context: flip(context) }),
  roster: ({ rosterDigest }) => ({ rosterDigest: flip(rosterDigest) }),
};

/** Seeds of all pairs of the cell under one change, by name; both ends must have the same. */
function edgeSeeds(change: string): readonly (readonly [string, Secret])[] {
  const changed = configs.map((config) => ({ ...config, ...CHANGES[change]!(config) }));
  const from = (owner: number, other: number): Secret => {
    const config = changed[owner]!;
    return edgeSeed(config, owner, maskKeyOf(config.seed), other)!;
  };
  return changed.flatMap((_, a) =>
    Array.from({ length: a }, (_, b) => {
      const seed = from(a, b);
      // By the way that the session takes, too.
      expect(seed.equals(ownEdgeSeed(changed[b]!, a)!)).toBe(true);
      return [`${change}: ${a}, ${b}`, seed] as const;
    }),
  );
}

describe('masks of different pairs, attempts, rounds, models, rosters, and self-masks', () => {
  const selfMasks = configs.map(({ seed }, i) => [`self ${i}`, selfMaskOf(seed)] as const);
  const all = [...Object.keys(CHANGES).flatMap(edgeSeeds), ...selfMasks];
  const streams = all.map(([name, seed]) => [name, streamOf(seed, 32_768)] as const);

  test('have seeds of their own', () => {
    expect(all).toHaveLength(5 * 6 + MEMBERS);
    expect(new Set(all.map(([, seed]) => toHex(seed.reveal()))).size).toBe(all.length);
  });

  test('are each uniform, and independent of one another', () => {
    for (const [i, [name, stream]] of streams.entries()) {
      expect([name, Math.abs(deviation(countsOf(stream, 8))) < SIGMAS]).toEqual([name, true]);
      for (const [other, second] of streams.slice(0, i)) {
        const difference = xor(stream, second);
        const pair = `${name} and ${other}`;
        expect([pair, Math.abs(deviation(countsOf(difference, 8))) < SIGMAS]).toEqual([pair, true]);
      }
    }
  });

  test('do not repeat along the vector: every part has keystream of its own', () => {
    const [[, seed]] = all as [(typeof all)[number]];
    const parts = Array.from({ length: 64 }, (_, i) => maskOf(seed, 8, 1, 8_192 * i));
    const texts = parts.map((part) => toHex(bytesOfWords(part)));
    expect(new Set(texts).size).toBe(parts.length);
  });

  test('of which the self-masks are no seeds of a key either', () => {
    const own = configs.flatMap(({ seed }) => [seed, maskKeySeedOf(seed), selfMaskOf(seed)]);
    const texts = own.map((seed) => toHex(seed.reveal()));
    expect(new Set(texts).size).toBe(texts.length);
  });
});

test('no two chunks of a vector, and no two members, are masked alike', () => {
  // Vectors of zeros: what is sent is nothing but masks, 4 chunks of each of 3 members.
  const inputs = (_: number, length: number) => new Uint32Array(length);
  const chunkBytes = 12 * 1024;
  const length = (4 * chunkBytes) / 3;
  const { members } = runCell({ members: 3, seed: 91, length, chunkBytes, inputs });
  const chunks = members.flatMap(({ host }) => [...host.masked]);
  expect(chunks.map((chunk) => chunk.length)).toEqual(new Array(12).fill(chunkBytes));
  for (const [i, chunk] of chunks.entries()) {
    for (const other of chunks.slice(0, i)) {
      expect(Math.abs(deviation(countsOf(xor(chunk, other), 8)))).toBeLessThan(SIGMAS);
    }
  }
});

describe('in a small ring', () => {
  const cases = [
    [8, 2 ** 16, 1],
    [8, 2 ** 16, -1],
    [16, 2 ** 22, 1],
    [16, 2 ** 22, -1],
  ] as const;
  test.each(cases)(
    'of %i bits, %i words of sign %i hit every residue alike',
    (bits, size, sign) => {
      const counts = countsOf(maskOf(seedOf(bits), size, sign), bits);
      expect(counts.indexOf(0)).toBe(-1);
      expect(Math.abs(deviation(counts))).toBeLessThan(SIGMAS);
    },
  );

  test('a generator that never draws the last residue would be seen', () => {
    const biased = maskOf(seedOf(8), 2 ** 16).map((word) => word % 255);
    const counts = countsOf(biased, 8);
    expect(counts.indexOf(0)).toBe(255);
    expect(deviation(counts)).toBeGreaterThan(SIGMAS);
  });
});

test.each([16, 20, 24, 30, 32])('top and bottom bits of a ring of %i bits are uniform', (bits) => {
  const words = maskOf(seedOf(bits + 100), 2 ** 20);
  for (const shift of [0, bits - 12]) {
    const counts = countsOf(words, 12, shift);
    expect(counts.indexOf(0)).toBe(-1);
    expect(Math.abs(deviation(counts))).toBeLessThan(SIGMAS);
  }
});
