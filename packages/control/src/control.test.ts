import { stat } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { ConfigError, ProtocolError } from '@starling/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import {
  type ControlHandlers,
  controlSocket,
  createControlClient,
  createControlServer,
  type JobEvent,
} from './index.ts';
import {
  DATA,
  EVENT,
  FILE,
  harmless,
  ID,
  INSPECTION,
  JOB,
  MANIFEST,
  NETWORK,
  OFFER,
  PEERS,
  POLICY,
  STATUS,
} from './testing/handlers.ts';

/** A server with the given handlers over harmless ones, and a client to it. */
async function running(handlers: Partial<ControlHandlers> = {}) {
  const socket = controlSocket(await temporaryDirectory());
  const server = await createControlServer(socket, harmless(handlers));
  onTestFinished(() => server.close());
  return { socket, server, client: createControlClient(socket) };
}

describe('every route', () => {
  test('answers what its handler answered', async () => {
    const { client } = await running();
    expect(await client.network()).toEqual(NETWORK);
    expect(await client.status()).toEqual(STATUS);
    expect(await client.jobs()).toEqual([JOB]);
    expect(await client.job(ID)).toEqual(JOB);
    expect((await client.refuse(ID)).standing).toBe('refused');
    expect((await client.cancel(ID)).phase).toBe('cancelled');
    expect(await client.pull(ID)).toEqual({ round: 1, model: 'AAAA', proof: 'AAAA' });
    expect(await client.listData()).toEqual([DATA]);
    expect(await client.privacy()).toEqual({ datasets: [] });
    expect(await client.peers()).toEqual(PEERS);
    expect(await client.manifest(ID)).toEqual(MANIFEST);
    expect(await client.policy()).toEqual(POLICY);
    expect(await client.changePolicy({ minPeers: 5 })).toEqual(POLICY);
    expect(await client.inspectData({ path: '/d', name: 'a' })).toEqual(INSPECTION);
  });

  test('tells how much of a model is on its way, in both directions', async () => {
    const model = new Uint8Array(3_000_000).map((_, i) => i);
    let received = 0;
    const { client } = await running({
      launch: async (_, bytes) => {
        received = bytes.length;
        return { job: ID, copies: 2, peers: 3, privacy: null };
      },
      pull: async () => ({ round: 1, proof: 'AAAA', model: Buffer.from(model).toString('base64') }),
    });
    const steps: { done: number; total: number }[] = [];
    const note = (done: number, total: number) => void steps.push({ done, total });
    await client.launch(FILE, model, note);
    expect(received).toBe(model.length);
    const sent = steps.splice(0);
    const pulled = await client.pull(ID, { personal: false }, note);
    expect(Buffer.from(pulled.model, 'base64').equals(Buffer.from(model))).toBe(true);
    for (const seen of [sent, steps]) {
      expect(seen.length).toBeGreaterThan(3);
      expect(seen.every(({ done }, i) => i === 0 || done > seen[i - 1]!.done)).toBe(true);
      expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);
    }
  });

  test('hands over what the client sent', async () => {
    const seen: unknown[] = [];
    const { client } = await running({
      pull: async (...args) => {
        seen.push(args);
        return { round: 1, model: 'AAAA', proof: 'AAAA' };
      },
      approve: async (...args) => {
        seen.push(args);
        return JOB;
      },
      addData: async (data) => {
        seen.push(data);
        return DATA;
      },
      removeData: async (name) => {
        seen.push(name);
        return DATA;
      },
      job: async (id) => {
        seen.push(id);
        return JOB;
      },
    });
    await client.pull(ID);
    await client.pull(ID, { personal: true });
    await client.approve(ID, 'scans');
    await client.approve(ID);
    await client.addData(OFFER);
    await client.removeData('a name / with % signs');
    await client.job('a name / with % signs');
    await client.job('🐦'.repeat(128));
    expect(seen).toEqual([
      [ID, { personal: false }],
      [ID, { personal: true }],
      [ID, 'scans'],
      [ID, undefined],
      OFFER,
      'a name / with % signs',
      'a name / with % signs',
      '🐦'.repeat(128),
    ]);
  });

  test('carries a model of megabytes unchanged', async () => {
    const model = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 251);
    let got: Uint8Array = new Uint8Array();
    const { client } = await running({
      launch: async (job, bytes) => {
        expect(job).toEqual(FILE);
        got = bytes;
        return { job: ID, copies: 1, peers: 1, privacy: null };
      },
    });
    const launched = { job: ID, copies: 1, peers: 1, privacy: null };
    expect(await client.launch(FILE, model)).toEqual(launched);
    expect(Buffer.from(model).equals(got)).toBe(true);
  });

  test('stop answers before the daemon ends', async () => {
    let stopped = () => {};
    const end = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const { client } = await running({ stop: () => stopped() });
    await client.stop();
    await end;
  });
});

describe('an error', () => {
  test('of the operator keeps its class, key and words', async () => {
    const thrown = new ConfigError('job', 'no job is called "x"', '`starling jobs` lists them');
    const { client } = await running({ job: () => Promise.reject(thrown) });
    const caught = await client.job('x').catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(ConfigError);
    expect(caught).toMatchObject({ key: 'job', message: thrown.message });
  });

  test('of the protocol keeps its class and code', async () => {
    const thrown = new ProtocolError('not-ready', 'the model is on its way');
    const { client } = await running({ pull: () => Promise.reject(thrown) });
    const caught = await client.pull(ID).catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(ProtocolError);
    expect(caught).toMatchObject({ code: 'not-ready', message: 'the model is on its way' });
  });

  test('that nobody foresaw comes with its message', async () => {
    const { client } = await running({ jobs: () => Promise.reject(new Error('disk on fire')) });
    await expect(client.jobs()).rejects.toMatchObject({
      code: 'internal',
      message: 'disk on fire',
    });
  });

  test('in a request is refused by key before any handler sees it', async () => {
    const { client } = await running({ addData: () => Promise.reject(new Error('was called')) });
    const wrong = client.addData({ ...OFFER, name: '../up' });
    await expect(wrong).rejects.toMatchObject({
      ...{ code: 'invalid', message: 'name: use letters, digits, dot, hyphen' },
    });
  });

  test('of two releases that do not fit says so', async () => {
    const socket = controlSocket(await temporaryDirectory());
    const other = createServer((_request, response) => response.end('{"peerId": 1}'));
    await new Promise<void>((resolve) => other.listen(socket, resolve));
    onTestFinished(() => void other.close());
    const client = createControlClient(socket);
    await expect(client.status()).rejects.toThrow(/Run both from the same release/);
  });

  test('of a handler whose answer does not fit its schema is a fault, not an answer', async () => {
    const { client } = await running({ status: async () => ({ ...STATUS, pid: -1 }) });
    await expect(client.status()).rejects.toMatchObject({ code: 'internal' });
  });

  test('for a route that does not exist is an answer like any other', async () => {
    const { socket } = await running();
    const [status, body] = await new Promise<[number | undefined, string]>((resolve, reject) => {
      const ask = request({ socketPath: socket, path: '/v9/nothing' }, async (response) => {
        resolve([response.statusCode, Buffer.concat(await response.toArray()).toString()]);
      });
      ask.on('error', reject).end();
    });
    expect(status).toBe(404);
    expect(JSON.parse(body)).toMatchObject({ code: 'unknown-route' });
  });

  test('without a daemon names the next step', async () => {
    const client = createControlClient(join(await temporaryDirectory(), 'control.sock'));
    await expect(client.status()).rejects.toThrow(/no answer at .*\. Start it with `starling up`/);
  });
});

describe('events', () => {
  test('begin with the job as it is, and follow its changes', async () => {
    let tell: (event: JobEvent) => void = () => {};
    const { client } = await running({
      watch(listen) {
        tell = listen;
        return () => {};
      },
    });
    const kinds: string[] = [];
    for await (const { kind, text, view } of client.events(ID)) {
      kinds.push(kind);
      if (kind === 'now') {
        expect(view).toEqual(JOB);
        tell({ ...EVENT, job: 'cd'.repeat(32), text: "another job's" });
        tell(EVENT);
        tell({ ...EVENT, text: 'zwölf'.repeat(100_000) });
      }
      // Large enough to be cut into chunks, in the middle of letters too.
      if (kinds.length === 3) {
        expect(text).toBe('zwölf'.repeat(100_000));
        break;
      }
    }
    expect(kinds).toEqual(['now', 'phase', 'phase']);
  });

  test('end quietly when aborted', async () => {
    const { client } = await running();
    const ending = new AbortController();
    let count = 0;
    for await (const _ of client.events(ID, ending.signal)) {
      count += 1;
      ending.abort();
    }
    expect(count).toBe(1);
  });

  test('of an unknown job are an error, not a stream', async () => {
    const job = () => Promise.reject(new ConfigError('job', 'no job is called "x"'));
    const { client } = await running({ job });
    const first = client.events('x')[Symbol.asyncIterator]().next();
    await expect(first).rejects.toMatchObject({ key: 'job' });
  });

  test('end when the daemon does', async () => {
    const { client, server } = await running();
    const stream = client.events(ID)[Symbol.asyncIterator]();
    await stream.next();
    const next = stream.next().catch((error: unknown) => error);
    await server.close();
    const ended = await next;
    expect(ended instanceof ConfigError || (ended as { done?: boolean }).done).toBe(true);
  });
});

describe('the socket', () => {
  test("is its owner's alone", async () => {
    const { socket } = await running();
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
  });

  test('with too long a path is refused with the reason', async () => {
    const path = join(await temporaryDirectory(), 'x'.repeat(120));
    await expect(createControlServer(path, {} as ControlHandlers)).rejects.toThrow(
      /107 characters/,
    );
  });
});
