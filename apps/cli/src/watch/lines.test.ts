import type { JobView, Round } from '@starling/control';
import { expect, test } from 'vitest';
import { Watcher } from './lines.ts';

const ID = 'ab'.repeat(32);

const round = (number: number, salt = '0'): Round => ({
  ...{ round: number, restarts: 0, attempt: 0, participants: 5, survivors: 4 },
  ...{ loss: 0.5, accuracy: 0.875, examples: 100, metrics: {}, settled: true },
  stateHash: `${number}${salt}`.padEnd(64, '0'),
  certificate: `${number}${salt}`.padEnd(64, 'f'),
});

const view = (rounds: readonly Round[], phase = 'training'): JobView => ({
  ...{ id: ID, name: 'mnist', launcher: 'x', standing: 'participating', detail: 'data set a' },
  ...{
    phase,
    progress: null,
    suspects: [],
    privacy: null,
    live: null,
    rounds: [...rounds],
    secondsPerRound: null,
    roundsWanted: 3,
    stateHash: null,
  },
});

const event = (kind: string, extra: { text?: string; view?: JobView } = {}) => ({
  ...{ job: ID, kind, text: extra.text ?? kind },
  ...(extra.view && { view: extra.view }),
});

test('shows each round once, with loss and accuracy', () => {
  const watcher = new Watcher();
  const now = watcher.next(event('now', { view: view([round(1)]) }));
  expect(now.lines).toHaveLength(2);
  expect(now.lines[1]).toMatch(/^round 1\/3 {2}loss before 0\.5000 {2}accuracy before 87\.50 %/);
  expect(watcher.next(event('certified', { view: view([round(1)]) })).lines).toEqual([]);
  const two = watcher.next(event('certified', { view: view([round(1), round(2)]) }));
  expect(two.lines).toEqual([expect.stringMatching(/^round 2\/3/)]);
});

test('shows rounds again that another chain replaced', () => {
  const watcher = new Watcher();
  watcher.next(event('now', { view: view([round(1), round(2)]) }));
  const { lines } = watcher.next(event('certified', { view: view([round(1), round(2, '9')]) }));
  expect(lines).toEqual([expect.stringMatching(/^round 2\/3/)]);
});

test('passing phases are live, trouble stays', () => {
  const watcher = new Watcher();
  expect(watcher.next(event('phase', { text: 'round 1: shares' }))).toEqual({
    ...{ lines: [], live: 'round 1: shares', finished: false },
  });
  expect(watcher.next(event('burnt', { text: 'attempt lost' })).lines).toEqual(['attempt lost']);
});

test('ends with the job, also when it had ended before', () => {
  const done = view([round(1), round(2), round(3)], 'finished');
  expect(new Watcher().next(event('finished', { view: done })).finished).toBe(true);
  const late = new Watcher().next(event('now', { view: done }));
  expect(late.finished).toBe(true);
  expect(late.lines.at(-1)).toBe('finished after 3 rounds');
});
