import { ConfigError, type Log } from '@starling/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../../test/helpers/until.ts';
import { attributeOf, type OtlpSpan, Receiver } from './testing/receiver.ts';
import { JOB, roundOf, SELF, tell } from './testing/run.ts';
import { attemptIdOf, traceIdOf } from './trace-id.ts';
import { createTracing } from './tracing.ts';

function listening() {
  const lines: string[] = [];
  const add = (message: string) => void lines.push(message);
  const log: Log = { debug: add, info: add, warn: add, error: add };
  return { lines, log };
}

async function receiving(): Promise<Receiver> {
  const receiver = await Receiver.start();
  onTestFinished(() => receiver.stop());
  return receiver;
}

async function traced(endpoint: string, log: Log = listening().log) {
  const options = { endpoint, self: SELF, version: '0.1.0', log, delayMs: 20 };
  const tracing = await createTracing(options);
  onTestFinished(() => tracing.stop());
  return tracing;
}

describe('a round', () => {
  test('arrives as a trace that every peer would name alike', async () => {
    const receiver = await receiving();
    const tracing = await traced(`${receiver.endpoint}/`);
    tell([tracing.listener], roundOf(3));
    await tracing.stop();
    const { spans } = receiver;
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(JOB, 3)]));
    const [root, ...others] = spans.filter(({ parentSpanId }) => !parentSpanId) as [OtlpSpan];
    expect(others).toEqual([]);
    expect(root).toMatchObject({ name: 'round', startTimeUnixNano: '0' });
    expect(root.endTimeUnixNano).toBe('20000000000');
    expect(attributeOf(root, 'starling.job.id')).toBe(JOB);
    expect(attributeOf(root, 'starling.outcome')).toBe('certified');
    expect(attributeOf(root, 'starling.survivors')).toBe(3);
    const below = spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
    expect(below.map(({ name }) => name)).toEqual(['training', 'training', 'attempt', 'attempt']);
    const { resource } = receiver.bodies[0]!.resourceSpans[0]!;
    expect(attributeOf(resource, 'service.name')).toBe('starling');
    expect(attributeOf(resource, 'service.instance.id')).toBe(SELF);
  });

  test('has its attempts, why one was lost, and their phases', async () => {
    const receiver = await receiving();
    const tracing = await traced(receiver.endpoint);
    tell([tracing.listener], roundOf(3));
    await tracing.stop();
    const attempts = receiver.spans.filter(({ name }) => name === 'attempt');
    const [burnt, good] = attempts as [OtlpSpan, OtlpSpan];
    expect(burnt.spanId).toBe(attemptIdOf(JOB, 3, { restarts: 0, attempt: 0 }, SELF));
    expect(burnt.status).toMatchObject({ code: 2, message: 'quorum-lost' });
    expect(attributeOf(burnt, 'starling.reason')).toBe('quorum-lost');
    expect(attributeOf(burnt, 'starling.participants')).toBe(4);
    expect(good.status.code).toBe(0);
    expect(attributeOf(good, 'starling.survivors')).toBe(3);
    const phases = receiver.spans.filter(({ parentSpanId }) => parentSpanId === good.spanId);
    expect(phases.map(({ name }) => name)).toContain('unmask');
    expect(phases).toHaveLength(8);
    expect(new Set(receiver.spans.map(({ spanId }) => spanId)).size).toBe(receiver.spans.length);
  });
});

describe('a receiver that is away', () => {
  test('is told of once, and so is its return; nothing throws', async () => {
    const receiver = await receiving();
    receiver.status = 400;
    const { lines, log } = listening();
    const tracing = await traced(receiver.endpoint, log);
    for (let round = 1; round <= 3; round++) {
      tell([tracing.listener], roundOf(round));
      await until(() => receiver.requests >= round, 10_000, 'an export');
    }
    await until(() => lines.length > 0, 10_000, 'a line');
    receiver.status = 200;
    tell([tracing.listener], roundOf(9));
    await until(() => lines.length > 1, 10_000, 'its return');
    expect(lines).toEqual([
      'traces cannot be sent, and are dropped meanwhile',
      'traces can be sent again',
    ]);
  });

  test('does not hold up the end of the daemon', async () => {
    const receiver = await receiving();
    const { endpoint } = receiver;
    receiver.status = 503;
    const tracing = await traced(endpoint);
    tell([tracing.listener], roundOf(1));
    const began = performance.now();
    await tracing.stop();
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});

test('without the packages the error says what to install', async () => {
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  const { log } = listening();
  const options = { endpoint: 'http://127.0.0.1:9', self: SELF, version: '0.1.0', log };
  const failed = await createTracing(options, () => Promise.reject(missing)).catch((e) => e);
  expect(failed).toBeInstanceOf(ConfigError);
  expect((failed as ConfigError).message).toMatch(/telemetry\.otlp.*npm install @opentelemetry/s);
});
