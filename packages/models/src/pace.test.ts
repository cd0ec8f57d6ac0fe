import { millis, type PeerId } from '@starling/core';
import { expect, test } from 'vitest';
import { Pace } from './pace.ts';

const [a, b, c] = ['a', 'b', 'c'] as PeerId[] as [PeerId, PeerId, PeerId];

function paced(limits = { burst: 3, everyMs: 100, peersMax: 2 }) {
  let now = 0;
  const pace = new Pace({ now: () => millis(now) }, limits);
  const takes = (peer: PeerId, times: number) =>
    Array.from({ length: times }, () => pace.take(peer)).filter(Boolean).length;
  return { takes, pass: (duration: number) => (now += duration) };
}

test('a burst, then one at a time; one peer takes nothing from another', () => {
  const { takes, pass } = paced();
  expect([takes(a, 9), takes(b, 9)]).toEqual([3, 3]);
  pass(100);
  expect(takes(a, 9)).toBe(1);
  pass(1_000);
  expect(takes(a, 9)).toBe(3);
});

test('of more peers than it remembers it forgets the one heard first', () => {
  const { takes } = paced();
  expect([takes(a, 3), takes(b, 3), takes(c, 3)]).toEqual([3, 3, 3]);
  expect([takes(c, 1), takes(a, 1)]).toEqual([0, 1]);
});
