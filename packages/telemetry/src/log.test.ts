import type { LogFields, PeerId } from '@starling/core';
import { Secret } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { createLog, type LogFormat } from './log.ts';
import { SECRET_KEYS } from './redaction.ts';
import { JOB } from './testing/run.ts';
import { attemptIdOf, traceIdOf } from './trace-id.ts';

const PEER = 'peer-a' as PeerId;
const SLOT = { restarts: 1, attempt: 2 };

/** The one line that a log writes of these fields, as text and read again. */
async function line(format: LogFormat, fields: LogFields, message = 'certified') {
  const lines: string[] = [];
  const destination = { write: (text: string) => void lines.push(text) };
  const log = await createLog({ level: 'debug', format, version: '0.1.0', destination });
  log.identify(PEER);
  log.warn(message, fields);
  expect(lines).toHaveLength(1);
  return { text: lines[0]!, read: JSON.parse(lines[0]!) as Readonly<Record<string, unknown>> };
}

describe('a line in ECS', () => {
  test('says whose it is, what happened, and of which trace', async () => {
    const fields = { event: 'phase', job: JOB, round: 3, slot: SLOT, phase: 'chunks' };
    const { read } = await line('ecs', fields);
    expect(read).toMatchObject({
      ...{ 'log.level': 'warn', message: 'certified', 'event.action': 'phase' },
      ...{ 'service.name': 'starling', 'service.version': '0.1.0', 'service.node.name': PEER },
      'trace.id': traceIdOf(JOB, 3),
      'transaction.id': attemptIdOf(JOB, 3, SLOT, PEER),
      starling: { job: JOB, round: 3, slot: SLOT, phase: 'chunks' },
    });
    expect(read['@timestamp']).toMatch(/^20\d\d-\d\d-\d\dT/);
    expect(read['ecs.version']).toBe('8.10.0');
  });

  test('has no field of ours where the schema has one of another type', async () => {
    const fields = { error: 'out of disk', stack: 'at a', peer: 'b', reason: 'c', host: 'd' };
    const { read } = await line('ecs', fields);
    expect(read).toMatchObject({
      ...{ 'error.message': 'out of disk', 'error.stack_trace': 'at a' },
      starling: { peer: 'b', reason: 'c', host: 'd' },
    });
    for (const key of ['error', 'peer', 'host', 'job', 'event'])
      expect(read).not.toHaveProperty(key);
  });

  test('of no round has no trace', async () => {
    const { read } = await line('ecs', { job: 'short', round: 3 });
    expect(read).not.toHaveProperty('trace.id');
  });
});

test('a line in JSON keeps its fields, and has the trace', async () => {
  const { read } = await line('json', { event: 'certified', job: JOB, round: 3 });
  expect(read).toMatchObject({ level: 40, msg: 'certified', event: 'certified', job: JOB });
  expect(read['traceId']).toBe(traceIdOf(JOB, 3));
  expect(read).not.toHaveProperty('attemptId');
});

test.each([
  [true, 'abababab'],
  [false, JOB],
])('unless told, the format goes by the terminal (%s)', async (isTerminal, job) => {
  const lines: string[] = [];
  const destination = { write: (text: string) => void lines.push(text) };
  const options = { level: 'info', format: 'auto', version: '0.1.0' } as const;
  const log = await createLog({ ...options, destination, isTerminal });
  log.info('certified', { job: JOB, round: 3 });
  expect(JSON.parse(lines[0]!)).toHaveProperty('job', job);
});

test('what is below the level is not written', async () => {
  const lines: string[] = [];
  const destination = { write: (text: string) => void lines.push(text) };
  const log = await createLog({ level: 'warn', format: 'json', version: '0.1.0', destination });
  log.debug('a');
  log.info('b');
  log.error('c');
  expect(lines).toHaveLength(1);
});

describe.each(['json', 'ecs', 'text'] as const)('in %s', (format) => {
  test.each(SECRET_KEYS)('%s is never written, however deep it is', async (key) => {
    const deep = { a: { b: { [key]: 'marker' } } };
    const { text } = await line(format, { [key]: 'marker', one: { [key]: 'marker' }, ...deep });
    expect(text).not.toContain('marker');
    expect(text.match(/\[redacted\]/g)).toHaveLength(3);
  });

  test('keys, bytes and vectors are written by their length at most', async () => {
    const bytes = Uint8Array.from({ length: 40 }, () => 77);
    const { text } = await line(format, {
      ...{ found: new Secret(bytes), bytes, model: new Float32Array(4).fill(7.25) },
      ...{ list: Array.from({ length: 50 }, () => 7.25), buffer: Buffer.from('marker') },
      map: new Map([['inner', Buffer.from('marker')]]),
    });
    expect(text).toContain('[secret]');
    expect(text).toContain('[40 bytes]');
    expect(text).toContain('[16 bytes]');
    expect(text).toContain('[50 numbers]');
    expect(text).not.toMatch(/7\.25|marker|"0":|109,97/);
  });

  test('what is too deep to be looked through is left out', async () => {
    const { text } = await line(format, { a: { b: { c: { d: { e: { token: 'marker' } } } } } });
    expect(text).not.toContain('marker');
  });

  test('an error is its message', async () => {
    const { text } = await line(format, { cause: new Error('no room') });
    expect(text).toContain('no room');
  });
});
