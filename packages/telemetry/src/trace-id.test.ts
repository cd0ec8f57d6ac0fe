import { createHash } from 'node:crypto';
import type { JobId, PeerId } from '@starling/core';
import { expect, test } from 'vitest';
import { attemptIdOf, traceIdOf } from './trace-id.ts';

const JOB = 'ab'.repeat(32) as JobId;
const [A, B] = ['peer-a', 'peer-b'] as PeerId[] as [PeerId, PeerId];
const FIRST = { restarts: 0, attempt: 0 };

test('a trace is what the documents say, byte by byte', () => {
  const bytes = Buffer.concat([
    Buffer.from('starling/trace/1'),
    Buffer.from(JOB, 'hex'),
    Buffer.from('0000000000000102', 'hex'),
  ]);
  const expected = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  expect(traceIdOf(JOB, 0x0102)).toBe(expected);
});

test('every round of every job has a trace of its own', () => {
  const other = 'cd'.repeat(32) as JobId;
  const traces = [JOB, other].flatMap((job) => [1, 2, 256, 65_536].map((r) => traceIdOf(job, r)));
  expect(new Set(traces).size).toBe(traces.length);
});

test('an attempt is told apart by slot and by peer', () => {
  const ids = [
    attemptIdOf(JOB, 1, FIRST, A),
    attemptIdOf(JOB, 1, FIRST, B),
    attemptIdOf(JOB, 1, { restarts: 1, attempt: 0 }, A),
    attemptIdOf(JOB, 1, { restarts: 0, attempt: 1 }, A),
    attemptIdOf(JOB, 2, FIRST, A),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(attemptIdOf(JOB, 1, FIRST, A)).toBe(ids[0]);
});
