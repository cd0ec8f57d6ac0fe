import { createGenerator } from '@starling/autodiff';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Partition } from '../schema.ts';
import { clouds } from '../testing/tiny.ts';
import { withFeatures } from './features.ts';
import { partition } from './partition.ts';

const CLASSES = 5;
const labelled = (count: number) => Int32Array.from({ length: count }, (_, i) => i % CLASSES);
const idsOf = (count: number) => Array.from({ length: count }, (_, i) => `id-${i % 40}`);

const KINDS: readonly Partition[] = [
  { kind: 'iid' },
  { kind: 'shards', classesPerClient: 2 },
  { kind: 'dirichlet', alpha: 0.1, minimum: 3 },
  { kind: 'quantity', alpha: 0.5, minimum: 3 },
  { kind: 'feature', noise: 0.1, brightness: 0 },
  { kind: 'by-id', minimum: 2 },
];

const cases = fc.record({
  clients: fc.integer({ min: 2, max: 20 }),
  each: fc.integer({ min: 10, max: 40 }),
  seed: fc.nat(),
});

test.each(KINDS)('$kind gives no example twice and every client some', (kind) => {
  fc.assert(
    fc.property(cases, ({ clients, each, seed }) => {
      const count = 40 * each;
      const input = { kind, clients, labels: labelled(count), ids: idsOf(count) };
      const shares = partition({ ...input, generator: createGenerator(seed) });
      const again = partition({ ...input, generator: createGenerator(seed) });
      expect(again).toEqual(shares);
      expect(shares.length).toBe(clients);
      const all = shares.flatMap((share) => [...share]);
      expect(new Set(all).size).toBe(all.length);
      expect(all.every((index) => index >= 0 && index < count)).toBe(true);
      expect(shares.every((share) => share.length > 0)).toBe(true);
      if (kind.kind !== 'by-id') expect(all.length).toBe(count);
    }),
    { numRuns: 30 },
  );
});

const sizesOf = (shares: readonly Int32Array[]) => shares.map((share) => share.length);

test('iid shares differ by one example at most', () => {
  const labels = labelled(1003);
  const kind = { kind: 'iid' } as const;
  const generator = createGenerator(1);
  const sizes = sizesOf(partition({ kind, clients: 10, labels, ids: undefined, generator }));
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
});

test('where shards divide the classes each client has as many as it has shards, at most', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const labels = labelled(1000);
      const kind = { kind: 'shards', classesPerClient: 2 } as const;
      const generator = createGenerator(seed);
      const shares = partition({ kind, clients: 50, labels, ids: undefined, generator });
      for (const share of shares) {
        expect(new Set([...share].map((index) => labels[index])).size).toBeLessThanOrEqual(2);
        expect(share.length).toBe(20);
      }
    }),
    { numRuns: 20 },
  );
});

test('a small alpha makes sizes differ more than a large one', () => {
  const labels = labelled(5000);
  const spread = (alpha: number) => {
    const kind = { kind: 'quantity', alpha, minimum: 1 } as const;
    const generator = createGenerator(3);
    const sizes = sizesOf(partition({ kind, clients: 20, labels, ids: undefined, generator }));
    return Math.max(...sizes) - Math.min(...sizes);
  };
  expect(spread(0.2)).toBeGreaterThan(4 * spread(100));
});

test('by id each client has all examples of one id', () => {
  const count = 400;
  const ids = idsOf(count);
  const kind = { kind: 'by-id', minimum: 10 } as const;
  const labels = labelled(count);
  const shares = partition({ kind, clients: 7, labels, ids, generator: createGenerator(5) });
  for (const share of shares) {
    expect(new Set([...share].map((index) => ids[index])).size).toBe(1);
    expect(share.length).toBe(10);
  }
});

test('too few examples, too few ids and no ids are told apart', () => {
  const generator = createGenerator(1);
  const ask = (kind: Partition, count: number, ids?: readonly string[]) => () =>
    partition({ kind, clients: 50, labels: labelled(count), ids, generator });
  expect(ask({ kind: 'iid' }, 60)).toThrow(/60 examples for 50 clients/);
  expect(ask({ kind: 'by-id', minimum: 1 }, 400)).toThrow(/no ids. Name the column/);
  expect(ask({ kind: 'by-id', minimum: 1 }, 400, idsOf(400))).toThrow(/40 ids/);
  expect(ask({ kind: 'dirichlet', alpha: 1, minimum: 9 }, 400)).toThrow(/9 examples for each/);
});

test('noise grows from client to client and leaves the set itself alone', () => {
  const { train } = clouds(4000);
  const before = train.examples.inputs.slice();
  const half = Int32Array.from({ length: 2000 }, (_, i) => i);
  const shares = [half, half.map((i) => i + 2000)];
  const changed = withFeatures(train, shares, { kind: 'feature', noise: 1, brightness: 0 }, 1);
  expect(train.examples.inputs).toEqual(before);
  const deviation = (share: Int32Array) => {
    const squares = [...share].map((i) => (changed.examples.inputs[2 * i]! - before[2 * i]!) ** 2);
    return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / share.length);
  };
  expect(deviation(shares[0]!)).toBeCloseTo(0.5, 1);
  expect(deviation(shares[1]!)).toBeCloseTo(1, 1);
});
