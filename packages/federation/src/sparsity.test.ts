import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chosenCoordinates, gather, scatter } from './index.ts';

const seedOf = (n: number): Uint8Array => new Uint8Array(32).fill(n).fill(n >> 8, 0, 1);

describe('chosen coordinates [R-73]', () => {
  test('are as many as are asked for, ascending and within the vector', () => {
    const sizes = fc.integer({ min: 1, max: 70_000 });
    fc.assert(
      fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255), (n, share, s) => {
        const count = Math.round(n * share);
        const chosen = chosenCoordinates(n, count, seedOf(s));
        expect(chosen).toHaveLength(count);
        expect(chosen.every((at, i) => at < n && (i === 0 || at > chosen[i - 1]!))).toBe(true);
        expect(chosenCoordinates(n, count, seedOf(s))).toEqual(chosen);
      }),
    );
  });

  test('are known answers', () => {
    expect([...chosenCoordinates(1_000, 8, seedOf(1))]).toEqual([
      10, 199, 243, 300, 429, 614, 896, 971,
    ]);
  });

  test('are each as likely, and so is each pair', () => {
    const [length, count, draws] = [20, 5, 4_000];
    const each = new Uint32Array(length);
    let neighbours = 0;
    for (let draw = 0; draw < draws; draw++) {
      const chosen = chosenCoordinates(length, count, seedOf(draw));
      for (const at of chosen) each[at]! += 1;
      if (chosen.includes(3) && chosen.includes(4)) neighbours += 1;
    }
    // 1,000 of 4,000 with a standard error of 27; pairs 210 with one of 14.
    for (const times of each) expect(Math.abs(times - 1_000)).toBeLessThan(5 * 27);
    expect(Math.abs(neighbours - 210.5)).toBeLessThan(5 * 14);
  });
});

test('what is gathered goes back where it was', () => {
  const values = Float32Array.from({ length: 100 }, (_, i) => i);
  const chosen = chosenCoordinates(100, 30, seedOf(4));
  const back = new Float32Array(100);
  scatter(back, gather(values, chosen), chosen, 2);
  for (let i = 0; i < 100; i++) expect(back[i]).toBe(chosen.includes(i) ? 2 * i : 0);
});
