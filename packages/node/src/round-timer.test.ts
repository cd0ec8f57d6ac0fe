import { millis } from '@starling/core';
import { expect, test } from 'vitest';
import { RoundTimer } from './round-timer.ts';

function timer() {
  const time = { now: 0 };
  const clock = { now: () => millis(time.now), setTimer: () => () => {} };
  return { time, rounds: new RoundTimer(clock) };
}

test('a round is counted from its training on, and from the one before where there was one', () => {
  const { time, rounds } = timer();
  time.now = 5_000;
  rounds.begins(3);
  time.now = 7_000;
  expect(rounds.measure(3)).toBe(2);
  // Seven seconds of masking and adding up, then the next training.
  time.now = 14_000;
  rounds.begins(4);
  time.now = 16_000;
  expect(rounds.measure(4)).toBe(9);
});

test('a lost attempt counts, and so does the training after it', () => {
  const { time, rounds } = timer();
  rounds.begins(1);
  time.now = 2_000;
  expect(rounds.measure(1)).toBe(2);
  time.now = 10_000;
  rounds.begins(1);
  time.now = 12_000;
  expect(rounds.measure(1)).toBe(12);
  rounds.begins(2);
  expect(rounds.measure(2)).toBe(0);
});

test('what others did while this peer was away does not count here', () => {
  const { time, rounds } = timer();
  rounds.begins(1);
  rounds.measure(1);
  time.now = 100_000;
  rounds.begins(8);
  time.now = 103_000;
  expect(rounds.measure(8)).toBe(3);
});

test('rounds shorter than a second add up, too', () => {
  const { time, rounds } = timer();
  let seconds = 0;
  for (let round = 1; round <= 10; round++) {
    rounds.begins(round);
    time.now += 400;
    seconds += rounds.measure(round);
  }
  expect(seconds).toBe(4);
});
