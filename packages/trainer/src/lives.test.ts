import { expect, test } from 'vitest';
import { describeCage } from './cage.ts';
import { defaultMemory, limitsOf, runMilliseconds } from './limits.ts';
import { blame, restartDelay } from './lives.ts';

test('a restart waits twice as long each time, up to a minute', () => {
  const delays = Array.from({ length: 9 }, (_, deaths) => restartDelay(deaths, 1000) / 1000);
  expect(delays).toEqual([0, 1, 2, 4, 8, 16, 32, 60, 60]);
});

test('who is refused is told how often it ended the trainer, and how', () => {
  expect(blame(['out of memory', 'time limit', 'out of memory'])).toBe(
    'the model ended the trainer three times: out of memory twice, time limit once',
  );
  expect(blame(['crash', 'crash', 'crash'])).toBe(
    'the model ended the trainer three times: crash three times',
  );
});

test('limits have defaults, and a run has the time of its steps, a day at most', () => {
  expect(defaultMemory()).toBeGreaterThanOrEqual(2 ** 30);
  const limits = limitsOf({ nice: 5, memory: undefined });
  expect(limits).toMatchObject({ cpuThreads: 1, nice: 5, secondsPerStep: 60 });
  expect(limits.memory).toBeGreaterThanOrEqual(2 ** 30);
  expect(runMilliseconds(limits, 10)).toBe(600_000);
  expect(runMilliseconds(limits, 1_000_000)).toBe(86_400_000);
});

test('what is in force, and what is not, is said', () => {
  const missing = ['no prlimit: memory is watched'];
  const support = { isolation: 'offline', memoryLimit: false, privileges: true, missing } as const;
  expect(describeCage(support, limitsOf({ memory: 2 ** 30 }))).toEqual([
    'memory: 1024 MiB, watched',
    'CPU: 1 threads at niceness 10',
    'time: 60 s per step, 3600 s per request',
    'isolation: no network, files as the user may read them',
    ...missing,
  ]);
});
