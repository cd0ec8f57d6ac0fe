import { expect, test } from 'vitest';
import { lengthOf } from '../table.ts';
import { jobsScreen } from './jobs-screen.ts';
import { summaryOf } from './screens.ts';
import { job, LOOK, live, rounds, status } from './testing.ts';

const jobs = [
  job({ name: 'over', phase: 'finished', rounds: rounds(30) }),
  job({ name: 'running', rounds: rounds(15), live: live() }),
  job({ name: 'asked', standing: 'waiting-for-approval' }),
];

test('each job is a line, those that have ended last', () => {
  const lines = jobsScreen(jobs, status(), LOOK);
  expect(lines[0]).toMatch(/^3 jobs {2}2 peers connected {2}up 2\.0 KiB\/s/);
  expect(lines.slice(3).map((line) => line.split(/ +/)[0])).toEqual(['running', 'asked', 'over']);
  expect(lines[3]).toMatch(/^running +shares +━{6}─{6} 15\/30 +0\.1333 +94\.00 % +48 s$/);
  expect(lines[4]).toContain('waiting for approval');
  expect(lines[5]).toMatch(/finished +━{12} 30\/30/);
});

test('a training that takes long says how far it is', () => {
  const training = { ...live(), phase: 'training' as const };
  const progress = { step: 1, steps: 4, examplesPerSecond: 1, secondsLeft: 9 };
  const [, , , line] = jobsScreen([job({ live: training, progress })], status(), LOOK);
  expect(line).toContain('training 25 %');
});

test('no more lines than there is room for, and none wider', () => {
  const many = Array.from({ length: 50 }, (_, i) => job({ name: `a job called ${i}` }));
  for (const columns of [40, 80, 140]) {
    for (const rows of [1, 2, 3, 4, 10, 24, 53, 54]) {
      const lines = jobsScreen(many, null, { ...LOOK, columns, rows });
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(Math.max(...lines.map(lengthOf))).toBeLessThanOrEqual(columns);
    }
  }
  expect(jobsScreen(many, null, LOOK).at(-1)).toBe('and 30 jobs more');
});

test('where there are no jobs it says so', () => {
  expect(jobsScreen([], null, LOOK)).toEqual(['0 jobs', '', 'no jobs are known here']);
});

test('the last line of a job says what has become of it', () => {
  expect(summaryOf(job({ phase: 'finished', rounds: rounds(2) }))).toBe(
    'scans (abababababab): finished after 2 rounds, loss 1.0000, accuracy 55.00 % before the last',
  );
  expect(summaryOf(job({ phase: 'cancelled' }))).toBe(
    'scans (abababababab): cancelled after 0 rounds',
  );
});
