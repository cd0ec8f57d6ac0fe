import { toHex } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { packWords, unpackWords } from './ring/index.ts';
import { runCell } from './testing/cell.ts';
import { createDice } from './testing/random.ts';

const LENGTH = 8_192;
const BITS = 24;
const WINDOW = 32;

/** Pearson's statistic of `values` over `cells` equally likely cells, in standard deviations. */
function chiSquareDeviation(values: Iterable<number>, cells: number): number {
  const counts = new Uint32Array(cells);
  let total = 0;
  for (const value of values) {
    counts[value]!++;
    total++;
  }
  const expected = total / cells;
  const statistic = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  return (statistic - (cells - 1)) / Math.sqrt(2 * (cells - 1));
}

/** Correlation of neighbours; about N(0, 1/n) for independent ones. */
function lagOneDeviation(words: Uint32Array): number {
  const mean = (2 ** BITS - 1) / 2;
  const variance = (2 ** (2 * BITS) - 1) / 12;
  let sum = 0;
  for (let i = 1; i < words.length; i++) sum += (words[i]! - mean) * (words[i - 1]! - mean);
  return sum / variance / Math.sqrt(words.length - 1);
}

const shapes: Readonly<Record<string, (member: number, length: number) => Uint32Array>> = {
  'all zero': (_, length) => new Uint32Array(length),
  'all greatest': (_, length) => new Uint32Array(length).fill(2 ** 18 - 1),
  'one hot': (member, length) => {
    const words = new Uint32Array(length);
    words[member] = 2 ** 18 - 1;
    return words;
  },
  random: (member, length) => {
    const dice = createDice(member);
    return Uint32Array.from({ length }, () => dice.below(2 ** 18));
  },
};

// Seeds are fixed: five standard deviations here are a fault, not bad luck.
describe.each(Object.entries(shapes))('masked chunks of inputs that are %s', (_, inputs) => {
  const run = runCell({ members: 3, seed: 31, length: LENGTH, chunkBytes: 4_096, inputs });
  const chunks = run.members.flatMap(({ host }) => [...host.masked]);
  const words = chunks.map((chunk) => unpackWords(chunk, BITS, (chunk.length * 8) / BITS));
  const all = Uint32Array.from(words.flatMap((part) => [...part]));

  test('have uniform bytes', () => {
    const bytes = chunks.flatMap((chunk) => [...chunk]);
    expect(bytes).toHaveLength(3 * LENGTH * 3);
    expect(Math.abs(chiSquareDeviation(bytes, 256))).toBeLessThan(5);
  });

  test('have uniform top and bottom bits', () => {
    const top = all.map((word) => word >>> 12);
    const bottom = all.map((word) => word & 0xfff);
    expect(Math.abs(chiSquareDeviation(top, 4_096))).toBeLessThan(5);
    expect(Math.abs(chiSquareDeviation(bottom, 4_096))).toBeLessThan(5);
  });

  test('have independent neighbours', () => {
    expect(Math.abs(lagOneDeviation(all))).toBeLessThan(5);
  });

  test('contain no 32 bytes of the plain input', () => {
    const plain = new Set<string>();
    for (const { host } of run.members) addWindows(plain, packWords(host.input, BITS));
    for (const chunk of chunks) {
      const masked = new Set<string>();
      addWindows(masked, chunk);
      for (const window of masked) expect(plain.has(window)).toBe(false);
    }
  });
});

function addWindows(into: Set<string>, bytes: Uint8Array): void {
  const text = toHex(bytes);
  for (let at = 0; at + WINDOW <= bytes.length; at++) {
    into.add(text.slice(2 * at, 2 * (at + WINDOW)));
  }
}
