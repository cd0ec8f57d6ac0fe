import { fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '@starling/telemetry';
import { expect, onTestFinished, test } from 'vitest';
import { isJournal, journalLines, priorityOf } from './journal-lines.ts';

test('each line has the priority of its level in front', async () => {
  const lines: string[] = [];
  const destination = journalLines((line) => lines.push(line));
  const log = await createLog({ level: 'debug', format: 'json', version: '1', destination });
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(lines.map((line) => line.slice(0, 3))).toEqual(['<7>', '<6>', '<4>', '<3>']);
  expect(JSON.parse(lines[2]!.slice(3))).toMatchObject({ msg: 'c' });
});

test.each([
  [10, '<7>'],
  [60, '<3>'],
])('level %i is %s', (level, priority) => expect(priorityOf(level)).toBe(priority));

test('the journal is where JOURNAL_STREAM says, and not where output was sent since', () => {
  const folder = mkdtempSync(join(tmpdir(), 'starling-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const descriptor = openSync(join(folder, 'stream'), 'w');
  const { dev, ino } = fstatSync(descriptor);
  expect(isJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, descriptor)).toBe(true);
  expect(isJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, descriptor)).toBe(false);
  expect(isJournal({}, descriptor)).toBe(false);
});
