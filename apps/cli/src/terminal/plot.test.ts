import { describe, expect, test } from 'vitest';
import { plot } from './plot.ts';

const braille = (values: readonly number[], width: number, height: number) =>
  plot(values, { width, height, unicode: true });

describe('a curve', () => {
  test('runs from corner to corner where values rise evenly', () => {
    expect(braille([0, 1], 4, 2)).toEqual(['  ⡠⠊', '⡠⠊  ']);
  });

  test('is as wide and as high as it is asked to be, however many values there are', () => {
    for (const count of [1, 2, 7, 40, 1000]) {
      const values = Array.from({ length: count }, (_, i) => Math.sin(i));
      for (const unicode of [true, false]) {
        const lines = plot(values, { width: 20, height: 5, unicode });
        expect(lines.map((line) => [...line].length)).toEqual([20, 20, 20, 20, 20]);
      }
    }
  });

  test('touches the edges at its extremes, however thin the peak', () => {
    const [top, , bottom] = braille([3, 9, 3, 3], 12, 3);
    const hasDot = (line: string, dots: number) =>
      [...line].some((character) => ((character.codePointAt(0)! - 0x2800) & dots) > 0);
    // Dots 1 and 4 are the upper edge of a character, 7 and 8 the lower one.
    expect(hasDot(top!.replaceAll(' ', ''), 0x09)).toBe(true);
    expect(hasDot(bottom!.replaceAll(' ', ''), 0xc0)).toBe(true);
  });

  test('of one value, or of equal ones, is a line', () => {
    expect(braille([5], 3, 1)).toEqual(['⠤⠤⠤']);
    expect(braille([5, 5, 5], 3, 1)).toEqual(['⠤⠤⠤']);
  });

  test('hangs together where it is steep', () => {
    const lines = braille([0, 0, 0, 100, 100, 100], 3, 6);
    expect(lines.every((line) => line.trim() !== '')).toBe(true);
  });

  test('is drawn in ASCII where there is nothing else', () => {
    expect(plot([0, 1], { width: 4, height: 2, unicode: false })).toEqual(["  .'", ".'  "]);
  });

  test('shows the mean of what falls on one dot', () => {
    const spike = Array.from({ length: 400 }, (_, i) => (i === 200 ? 100 : 0));
    const flat = Array.from({ length: 400 }, () => 0);
    expect(braille(spike, 10, 2)).not.toEqual(braille(flat, 10, 2));
  });
});
