import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Split } from './split.ts';

const counts = fc.integer({ min: 2, max: 700 });

test('a split uses every example once and keeps at least one on each side', () => {
  fc.assert(
    fc.property(counts, fc.nat(), (count, seed) => {
      const split = new Split(count, { seed });
      const [training, validation] = [split.indices('training'), split.indices('validation')];
      expect(validation.length).toBe(Math.max(1, Math.floor(count / 10)));
      expect(training.length).toBe(split.training);
      const all = [...training, ...validation].sort((a, b) => a - b);
      expect(all).toEqual(Array.from({ length: count }, (_, i) => i));
    }),
  );
});

test('whoever reads in parts sees the same split', () => {
  fc.assert(
    fc.property(counts, fc.nat(), fc.nat(), (count, seed, cut) => {
      const split = new Split(count, { seed });
      const at = cut % count;
      const parts = [
        ...split.indices('validation', 0, at),
        ...split.indices('validation', at, count - at).map((index) => index + at),
      ];
      expect(parts).toEqual([...new Split(count, { seed }).indices('validation')]);
    }),
  );
});

test('it is spread over the whole, and another seed splits otherwise', () => {
  const chosen = new Split(10_000, { seed: 1 }).indices('validation');
  for (let tenth = 0; tenth < 10; tenth++) {
    const inside = chosen.filter((index) => Math.floor(index / 1000) === tenth).length;
    expect(Math.abs(inside - 100)).toBeLessThan(45);
  }
  expect(new Split(10_000, { seed: 2 }).indices('validation')).not.toEqual(chosen);
  expect(new Split(10_000, { seed: 1, validation: 0.25 }).validating).toBe(2500);
});
