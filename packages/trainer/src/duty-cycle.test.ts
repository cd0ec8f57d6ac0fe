import { expect, test } from 'vitest';
import { DutyCycle } from './duty-cycle.ts';

/** Timers that a test fires, and the time they add up to. */
function scene(share: number) {
  const signals: [ms: number, signal: string][] = [];
  let next: (() => void) | undefined;
  let now = 0;
  const cycle = new DutyCycle(
    share,
    (signal) => signals.push([now, signal]),
    (ms, fire) => {
      next = () => {
        now += ms;
        fire();
      };
      return () => {
        next = undefined;
      };
    },
  );
  return { cycle, signals, step: () => next?.() };
}

test('a child with a quarter of the CPU runs for a quarter of each period', () => {
  const { cycle, signals, step } = scene(0.25);
  cycle.start();
  cycle.start();
  for (let i = 0; i < 4; i++) step();
  expect(signals).toEqual([
    [0, 'SIGCONT'],
    [25, 'SIGSTOP'],
    [100, 'SIGCONT'],
    [125, 'SIGSTOP'],
    [200, 'SIGCONT'],
  ]);
});

test('one that is no longer watched is never left held up', () => {
  const { cycle, signals, step } = scene(0.5);
  cycle.start();
  step();
  cycle.stop();
  step();
  cycle.stop();
  expect(signals.map(([, signal]) => signal)).toEqual(['SIGCONT', 'SIGSTOP', 'SIGCONT']);
});

test('with all of the CPU it gets no signal', () => {
  const { cycle, signals } = scene(1);
  cycle.start();
  cycle.stop();
  expect(signals).toEqual([]);
});
