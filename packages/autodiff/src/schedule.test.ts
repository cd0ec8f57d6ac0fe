import { describe, expect, test } from 'vitest';
import { isNamed } from './frozen.ts';
import { CONSTANT_RATE, learningRates, type Schedule, variesWithinRun } from './schedule.ts';

const rates = (changes: Partial<Schedule>, steps: number, round = 0, rounds = 1) =>
  Array.from(learningRates(1, { ...CONSTANT_RATE, ...changes }, { steps, round, rounds }), (rate) =>
    Number(rate.toFixed(4)),
  );

describe('learning rates', () => {
  test('follow their schedule', () => {
    expect(rates({}, 3)).toEqual([1, 1, 1]);
    expect(rates({ kind: 'step', every: 2, factor: 0.5 }, 5)).toEqual([1, 1, 0.5, 0.5, 0.25]);
    expect(rates({ kind: 'polynomial' }, 4)).toEqual([1, 0.75, 0.5, 0.25]);
    expect(rates({ kind: 'polynomial', power: 2, length: 2 }, 4)).toEqual([1, 0.25, 0, 0]);
    expect(rates({ kind: 'polynomial', floor: 0.2, length: 2 }, 3)).toEqual([1, 0.6, 0.2]);
    expect(rates({ kind: 'cosine', length: 4 }, 5)).toEqual([1, 0.8536, 0.5, 0.1464, 0]);
    expect(rates({ kind: 'constant', warmup: 4 }, 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(rates({ kind: 'polynomial', warmup: 2 }, 4)).toEqual([0.5, 1, 1, 0.5]);
  });

  test('counted in rounds they are constant in each', () => {
    const schedule = { kind: 'step', per: 'round', every: 2, factor: 0.1 } as const;
    expect(rates(schedule, 3, 1, 9)).toEqual([1, 1, 1]);
    expect(rates(schedule, 2, 4, 9)).toEqual([0.01, 0.01]);
    expect(rates({ kind: 'cosine', per: 'round' }, 2, 5, 10)).toEqual([0.5, 0.5]);
    expect(variesWithinRun({ ...CONSTANT_RATE, ...schedule })).toBe(false);
    expect(variesWithinRun({ ...CONSTANT_RATE, warmup: 1 })).toBe(true);
  });
});

describe('frozen patterns', () => {
  test.each([
    ['a.weight', ['a.*'], true],
    ['ab.weight', ['a.*'], false],
    ['layers.3.attention.q', ['layers.?.attention.*'], true],
    ['layers.13.attention.q', ['layers.?.attention.*'], false],
    ['layers.3.lora_a', ['*', '!*lora*'], false],
    ['layers.3.q', ['*', '!*lora*'], true],
    ['x', [], false],
    ['aXbXc', ['a*b*c'], true],
    ['aXbXd', ['a*b*c'], false],
    ['', ['*'], true],
    ['a.b', ['a?b'], true],
    ['a', ['!a', 'a'], true],
  ] as const)('%j under %j: %j', (name, patterns, frozen) => {
    expect(isNamed(name, patterns)).toBe(frozen);
  });

  test('a pattern of many stars ends soon on a long name', () => {
    const pattern = `${'*a'.repeat(60)}b`;
    expect(isNamed('a'.repeat(4000), [pattern])).toBe(false);
  });
});
