import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BusyError, GoneError, RefusedError } from '../sink.ts';
import { entryOf } from '../testing/entries.ts';
import { isSigned, webhookKey } from './signature.ts';
import { WebhookSink } from './webhook.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OLD = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const KEYS = [SECRET, OLD].map((secret) => webhookKey(secret, 'secret'));
const { signal } = new AbortController();

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('a webhook', () => {
  let server: Server;
  let answer: { status: number; headers?: Record<string, string>; silent?: true };
  let got: Got[];

  beforeEach(async () => {
    answer = { status: 204 };
    got = [];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => {
        got.push({ headers: request.headers, body });
        if (answer.silent === undefined) response.writeHead(answer.status, answer.headers).end('x');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    server.closeAllConnections();
    server.close();
  });

  const sink = (timeoutMs = 5_000) => {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/hook`;
    return new WebhookSink({ url, keys: KEYS, timeoutMs, now: Date.now });
  };

  test("is signed so that the standard's own library takes it, with either key", async () => {
    const entry = entryOf(1);
    await sink().deliver([entry], signal);
    const [{ headers, body }] = got as [Got];
    expect(headers['content-type']).toBe('application/cloudevents+json');
    for (const secret of [SECRET, OLD]) {
      const known = new Webhook(secret).verify(body, headers as Record<string, string>);
      expect(known).toEqual(entry.event);
    }
    const other = new Webhook(Buffer.alloc(32, 8).toString('base64'));
    expect(() => other.verify(body, headers as Record<string, string>)).toThrow(/signature/i);
  });

  test('is taken by our own check too, and with no other key', async () => {
    await sink().deliver([entryOf(1)], signal);
    const [{ headers, body }] = got as [Got];
    const now = Date.now() / 1000;
    const given = headers as Record<string, string>;
    for (const key of KEYS) expect(isSigned(key, given, body, now)).toBe(true);
    expect(isSigned(KEYS[0]!, given, `${body} `, now)).toBe(false);
    expect(isSigned(KEYS[0]!, given, body, now + 301)).toBe(false);
    expect(isSigned(KEYS[0]!, { ...given, 'webhook-id': 'x' }, body, now)).toBe(false);
    expect(isSigned(new Uint8Array(32), given, body, now)).toBe(false);
  });

  test.each([
    [410, {}, GoneError],
    [400, {}, RefusedError],
    [422, {}, RefusedError],
    [429, { 'retry-after': '7' }, BusyError],
    [503, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }, BusyError],
  ])('answered with %s %j is a %s', async (status, headers, kind) => {
    answer = { status, headers };
    await expect(sink().deliver([entryOf(1)], signal)).rejects.toBeInstanceOf(kind);
  });

  test.each([500, 502, 503, 408, 429, 302])('answered with %s is tried again', async (status) => {
    answer = { status, headers: { location: 'http://127.0.0.1:1/' } };
    const error = await sink()
      .deliver([entryOf(1)], signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    for (const kind of [GoneError, RefusedError, BusyError]) expect(error).not.toBeInstanceOf(kind);
    expect(got).toHaveLength(1);
  });

  test('asked to wait, waits at most an hour', async () => {
    answer = { status: 429, headers: { 'retry-after': '999999' } };
    const error = await sink()
      .deliver([entryOf(1)], signal)
      .catch((thrown: unknown) => thrown);
    expect((error as BusyError).waitMs).toBe(3_600_000);
  });

  test('that is not answered is given up after its time', async () => {
    answer = { status: 200, silent: true };
    await expect(sink(100).deliver([entryOf(1)], signal)).rejects.toThrow(/no answer within 0.1 s/);
  });
});

test('a secret that is too short is named', () => {
  expect(() => webhookKey('short', 'events.webhooks.x.secret')).toThrow(
    /^events\.webhooks\.x\.secret: a secret of at least 24 bytes/,
  );
  expect(webhookKey(` ${SECRET}\n`, 'k')).toEqual(new Uint8Array(32).fill(7));
});
