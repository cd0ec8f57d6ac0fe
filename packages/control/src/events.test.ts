import { type IncomingMessage, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { until } from '../../../test/helpers/until.ts';
import { EventHub } from './event-hub.ts';
import { controlSocket, createControlServer, type JobEvent } from './index.ts';
import { EVENT, harmless, ID, JOB } from './testing/handlers.ts';

const OTHER = 'cd'.repeat(32);
const SSE = { accept: 'text/event-stream' };

async function serving() {
  const tellers = new Set<(event: JobEvent) => void>();
  const socket = controlSocket(await temporaryDirectory());
  const handlers = harmless({
    watch(listen) {
      tellers.add(listen);
      return () => tellers.delete(listen);
    },
  });
  const server = await createControlServer(socket, handlers, undefined, { heartbeatMs: 30 });
  onTestFinished(() => server.close());
  const tell = (event: Partial<JobEvent> = {}) => {
    for (const teller of tellers) teller({ ...EVENT, ...event });
  };
  return {
    socket,
    server,
    tell,
    open: (path: string, headers = {}) => open(socket, path, headers),
  };
}

/** A stream that has begun, and the text that came so far. */
async function open(socketPath: string, path: string, headers: Record<string, string>) {
  const stream = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path, headers, agent: false }, resolve).on('error', reject).end();
  });
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  stream.on('error', () => {});
  onTestFinished(() => void stream.destroy());
  const blocks = () => text.split('\n\n').filter((block) => block !== '' && block[0] !== ':');
  return { stream, text: () => text, blocks };
}

/** Fields of one server-sent event. */
const fieldsOf = (block: string): Record<string, string> =>
  Object.fromEntries(block.split('\n').map((line) => /^(\w+): (.*)$/.exec(line)!.slice(1)));

test('all jobs are told of in one stream, numbered upwards', async () => {
  const { open, tell } = await serving();
  const { stream, blocks } = await open('/v1/events', SSE);
  expect(stream.headers['content-type']).toBe('text/event-stream');
  tell();
  tell({ job: OTHER, text: 'line\nand line' });
  await until(() => blocks().length === 2);
  const [first, second] = blocks().map(fieldsOf);
  expect(JSON.parse(first!['data']!)).toEqual(EVENT);
  expect(JSON.parse(second!['data']!)).toEqual({ ...EVENT, job: OTHER, text: 'line\nand line' });
  expect(Number(second!['id'])).toBe(Number(first!['id']) + 1);
});

test('one job is told of alone, after the job as it is', async () => {
  const { open, tell } = await serving();
  const { blocks } = await open(`/v1/jobs/${ID}/events`, SSE);
  tell({ job: OTHER });
  tell({ text: 'mine' });
  await until(() => blocks().length === 2);
  const [now, mine] = blocks().map(fieldsOf);
  expect(now).not.toHaveProperty('id');
  expect(JSON.parse(now!['data']!)).toMatchObject({ kind: 'now', view: JOB, live: null });
  expect(JSON.parse(mine!['data']!)).toMatchObject({ text: 'mine' });
});

test('who does not ask for server-sent events has one JSON object a line', async () => {
  const { open, tell } = await serving();
  const { stream, text } = await open('/v1/events');
  expect(stream.headers['content-type']).toBe('application/x-ndjson');
  tell();
  tell({ job: OTHER });
  await until(() => text().split('\n').length === 3);
  const jobs = text()
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as JobEvent).job);
  expect(jobs).toEqual([ID, OTHER]);
});

test('a comment keeps a silent stream open', async () => {
  const { open } = await serving();
  const { text } = await open('/v1/events', SSE);
  await until(() => text().split('\n\n').length > 2);
  expect(text()).toMatch(/^(: still here\n\n)+$/);
});

test('who comes back is told what it missed, and nothing twice', async () => {
  const { open, tell } = await serving();
  const first = await open('/v1/events', SSE);
  for (const text of ['a', 'b', 'c']) tell({ text });
  await until(() => first.blocks().length === 3);
  const seen = fieldsOf(first.blocks()[0]!)['id']!;
  const again = await open(`/v1/jobs/${ID}/events`, { ...SSE, 'last-event-id': seen });
  tell({ text: 'd' });
  await until(() => again.blocks().length === 3);
  const texts = again
    .blocks()
    .map((block) => (JSON.parse(fieldsOf(block)['data']!) as JobEvent).text);
  expect(texts).toEqual(['b', 'c', 'd']);
});

test.each(['7', 'x', '99999999999999999'])(
  'who comes back after event %s, of which nobody knows, is told of the gap',
  async (last) => {
    const { open, tell } = await serving();
    tell({ text: 'kept' });
    const path = `/v1/jobs/${ID}/events`;
    const { blocks } = await open(path, { ...SSE, 'last-event-id': last });
    await until(() => blocks().length === 3);
    const [gap, now, kept] = blocks().map(fieldsOf);
    expect(gap).toMatchObject({ event: 'gap' });
    expect(JSON.parse(now!['data']!)).toMatchObject({ kind: 'now' });
    expect(JSON.parse(kept!['data']!)).toMatchObject({ text: 'kept' });
  },
);

test('the hub keeps the last events, and knows what it has forgotten', () => {
  const hub = new EventHub({ now: 5, keptMax: 3 });
  for (const text of ['a', 'b', 'c', 'd', 'e']) hub.add({ ...EVENT, text });
  const texts = (id: number) => {
    const { events, isGap } = hub.since(id);
    return [events.map(({ text }) => (JSON.parse(text) as JobEvent).text).join(''), isGap];
  };
  expect(texts(5004)).toEqual(['', false]);
  expect(texts(5002)).toEqual(['de', false]);
  expect(texts(5001)).toEqual(['cde', false]);
  expect(texts(5000)).toEqual(['cde', true]);
  expect(texts(5005)).toEqual(['cde', true]);
});

test('the hub keeps no more text than it may', () => {
  const hub = new EventHub({ now: 0 });
  for (let i = 0; i < 10; i++) hub.add({ ...EVENT, text: 'x'.repeat(1_000_000) });
  expect(hub.since(9).events).toEqual([]);
  expect(hub.since(-1).events.length).toBeLessThanOrEqual(4);
});

test('a reader that does not read is cut off, and others are not', async () => {
  const { socket, open, tell } = await serving();
  const lazy = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath: socket, path: '/v1/events', headers: SSE, agent: false });
    sent.on('response', resolve).on('error', reject).end();
  });
  lazy.pause();
  const eager = await open('/v1/events', SSE);
  for (let told = 1; told <= 12; told++) {
    tell({ text: 'x'.repeat(1_000_000) });
    await until(() => eager.text().length > told * 1_000_000, 10_000);
  }
  expect(eager.stream.destroyed).toBe(false);
  const cut = new Promise((resolve) => lazy.on('close', resolve).on('error', resolve));
  lazy.resume();
  await cut;
  expect(lazy.complete).toBe(false);
});
