import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { createApp } from './app.ts';
import { EventHub } from './event-hub.ts';
import { Guard } from './guard.ts';
import { type ApiOptions, controlSocket, createControlServer, type TcpOptions } from './index.ts';
import { selfSigned } from './testing/certificate.ts';
import { harmless, STATUS } from './testing/handlers.ts';

const TOKEN = 'x'.repeat(43);
const BEARER = { authorization: `Bearer ${TOKEN}` };

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly ca?: string;
}

/** A listener on loopback, and requests to it that no browser or client has tidied. */
async function listening(tcp: Partial<TcpOptions> = {}, api: Partial<ApiOptions> = {}) {
  const directory = await temporaryDirectory();
  const seen: string[] = [];
  const handlers = harmless({
    status: async () => {
      seen.push('status');
      return STATUS;
    },
    stop: () => void seen.push('stop'),
  });
  const server = await createControlServer(controlSocket(directory), handlers, {
    token: async () => TOKEN,
    tcp: { host: '127.0.0.1', port: 0, ...tcp },
    ...api,
  });
  onTestFinished(() => server.close());
  const url = new URL(server.url!);
  return { url, seen, ask: (path: string, ask?: Ask) => asked(url, path, ask) };
}

function asked(url: URL, path: string, { method = 'GET', headers, body, ca }: Ask = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const { port, protocol } = url;
    const target = { host: '127.0.0.1', port, path, method, agent: false };
    const send = protocol === 'https:' ? httpsRequest : httpRequest;
    const sent = send(
      { ...target, headers, ...(ca && { ca, servername: 'localhost' }) },
      async (response) => {
        const text = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode!, headers: response.headers, body: text });
      },
    );
    sent.on('error', reject).end(body);
  });
}

/** All that the listener says to these bytes until it hangs up. */
function spoken(url: URL, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(url.port), '127.0.0.1');
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject).on('close', () => resolve(text));
    socket.write(bytes);
  });
}

describe('the token', () => {
  test('opens every route, and nothing but a page opens without it', async () => {
    const parts = {
      handlers: harmless(),
      events: new EventHub({ now: 0 }),
      heartbeatMs: 9,
      pages: '/nowhere',
    };
    const guard = new Guard({ scheme: 'http', hosts: [], token: TOKEN, now: () => 0 });
    const routes: { method: string; url: string; open: string | undefined }[] = [];
    const app = await createApp(parts, {
      guard,
      onRoute: ({ method, url, config }) => {
        routes.push({ method: String(method), url, open: config?.open });
      },
    });
    await app.ready();
    expect(routes.length).toBeGreaterThan(25);
    const open = routes.filter((route) => route.open !== undefined);
    expect(open.map(({ url }) => url).sort()).toEqual([
      ...['/', '/*', '/health', '/index.html', '/ready'],
    ]);
    for (const { method, url } of routes.filter((route) => route.open === undefined)) {
      const path = url.replace(/:\w+/, 'x');
      const answer = await app.inject({ method: method as 'GET', url: path });
      expect([url, answer.statusCode]).toEqual([url, 401]);
    }
    await app.close();
  });

  test.each([
    ['none', {}],
    ['a wrong one', { authorization: `Bearer ${'y'.repeat(43)}` }],
    ['a shorter one', { authorization: `Bearer ${TOKEN.slice(1)}` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['one in a cookie', { cookie: `token=${TOKEN}` }],
  ])('%s is refused', async (_, headers: Record<string, string>) => {
    const { ask, seen } = await listening();
    const { status, body } = await ask('/v1/status', { headers });
    expect(status).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ code: 'token' });
    expect(seen).toEqual([]);
  });

  test('in a query is none', async () => {
    const { ask } = await listening();
    expect((await ask(`/v1/status?token=${TOKEN}`)).status).toBe(401);
  });

  test('is asked for whatever way the path is written', async () => {
    const { ask, seen } = await listening();
    const paths = ['/%761/status', '//v1/status', '/v1//status', '/assets/../v1/status'];
    for (const path of [...paths, '/v1/status/', '/V1/STATUS', '/v1/status;x', '/metrics']) {
      const { status } = await ask(path);
      expect([path, [401, 404].includes(status)]).toEqual([path, true]);
    }
    expect(seen).toEqual([]);
    expect((await ask('/v1/status', { headers: BEARER })).status).toBe(200);
  });

  test('that is wrong a few times makes its sender wait, and then not any more', () => {
    let now = 0;
    const guard = new Guard({ scheme: 'http', hosts: [], token: TOKEN, now: () => now });
    const from = (token: string, remoteAddress = '192.0.2.1') =>
      guard.token({
        headers: { authorization: `Bearer ${token}` },
        socket: { remoteAddress },
      } as Parameters<Guard['token']>[0]);
    for (let i = 0; i < 5; i++) expect(from('wrong')?.status).toBe(401);
    expect(from('wrong')).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    // Whoever shares the address and has the token is not kept out by it.
    expect(from(TOKEN)).toBeUndefined();
    expect(from(TOKEN, '192.0.2.2')).toBeUndefined();
    now += 1000;
    expect(from('wrong')?.status).toBe(401);
    expect(from('wrong')).toMatchObject({ status: 429, headers: { 'retry-after': '2' } });
    now += 2000;
    expect(from(TOKEN)).toBeUndefined();
  });
});

describe('a web page', () => {
  test('that a name was rebound to this machine for gets nothing', async () => {
    const { ask, url, seen } = await listening();
    for (const host of ['evil.example', `evil.example:${url.port}`, 'localhost.evil.example']) {
      for (const path of ['/', '/health', '/v1/status']) {
        const { status, body } = await ask(path, { headers: { ...BEARER, host } });
        expect([host, path, status]).toEqual([host, path, 421]);
        expect(JSON.parse(body)).toMatchObject({ code: 'host' });
      }
    }
    expect(seen).toEqual([]);
  });

  test.each([
    ['a form', 'POST', { 'content-type': 'text/plain', origin: 'https://evil.example' }, 403],
    ['a form without an origin', 'POST', { 'content-type': 'text/plain' }, 415],
    ['a form of fields', 'POST', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['a form of parts', 'POST', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
    ['a fetch', 'POST', { 'content-type': 'application/json', origin: 'http://localhost:1' }, 403],
    ['a simple GET', 'GET', { origin: 'https://evil.example' }, 403],
    ['a sandboxed frame', 'GET', { origin: 'null' }, 403],
    ['an image', 'GET', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of a sister', 'GET', { 'sec-fetch-site': 'same-site' }, 403],
    ['a preflight', 'OPTIONS', { origin: 'https://evil.example' }, 403],
  ])('of another site gets nothing by %s, token or not', async (_, method, headers, wanted) => {
    const { ask, seen } = await listening();
    const body = method === 'POST' ? '{}' : '';
    for (const token of [{}, BEARER]) {
      const sent = { ...headers, ...token } as Record<string, string>;
      const answer = await ask(method === 'POST' ? '/v1/stop' : '/v1/status', {
        ...{ method, headers: sent, body },
      });
      expect(answer.status).toBe(wanted);
      expect(Object.keys(answer.headers).filter((name) => /^access-control/.test(name))).toEqual(
        [],
      );
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    expect(seen).toEqual([]);
  });

  test('of its own is let in by each of its names', async () => {
    const { ask, url } = await listening({ hosts: ['ward7.example'] });
    for (const name of ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST', 'ward7.example']) {
      const host = `${name}:${url.port}`;
      const headers = {
        ...BEARER,
        host,
        origin: `http://${host}`,
        'sec-fetch-site': 'same-origin',
      };
      expect([name, (await ask('/v1/status', { headers })).status]).toEqual([name, 200]);
    }
  });
});

test('health and readiness need no token from this machine', async () => {
  const { ask } = await listening();
  const health = await ask('/health');
  expect([health.status, JSON.parse(health.body)]).toEqual([200, { status: 'alive' }]);
  const ready = await ask('/ready');
  expect([ready.status, JSON.parse(ready.body)]).toEqual([503, { status: 'not a member yet' }]);
  expect((await ask('/metrics', { headers: BEARER })).status).toBe(501);
});

test('health needs the token from elsewhere', async () => {
  const guard = new Guard({ scheme: 'http', hosts: [], token: TOKEN, now: () => 0 });
  const parts = { handlers: harmless(), events: new EventHub({ now: 0 }), heartbeatMs: 9 };
  const app = await createApp(parts, { guard });
  const from = (remoteAddress: string, headers = {}) =>
    app.inject({ method: 'GET', url: '/health', remoteAddress, headers });
  expect((await from('127.0.0.1')).statusCode).toBe(200);
  expect((await from('::ffff:127.0.0.1')).statusCode).toBe(200);
  expect((await from('192.0.2.1')).statusCode).toBe(401);
  expect((await from('192.0.2.1', BEARER)).statusCode).toBe(200);
  await app.close();
});

describe('a client that means harm', () => {
  test('has its malformed bodies refused by what is wrong with them', async () => {
    const { ask, seen } = await listening();
    const headers = { ...BEARER, 'content-type': 'application/json' };
    for (const body of ['{', '[1', '"\\', '{"__proto__": {"x": 1}}', '[]', '7']) {
      const answer = await ask('/v1/stop', { method: 'POST', headers, body });
      expect([body, answer.status]).toEqual([body, 400]);
      expect(JSON.parse(answer.body)).toHaveProperty('error');
    }
    expect(seen).toEqual([]);
  });

  test('has too large a body refused before it is read', async () => {
    const { url } = await listening();
    const head = [
      ...['POST /v1/stop HTTP/1.1', `Host: ${url.host}`, `Authorization: Bearer ${TOKEN}`],
      ...['Content-Type: application/json', 'Content-Length: 1048577', 'Connection: close'],
    ];
    expect(await spoken(url, `${head.join('\r\n')}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('without the token is not waited for', async () => {
    const { url } = await listening();
    const head = [
      ...['POST /v1/jobs HTTP/1.1', `Host: ${url.host}`],
      ...['Content-Type: application/json', 'Content-Length: 700000000'],
    ];
    expect(await spoken(url, `${head.join('\r\n')}\r\n\r\n{"job`)).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('that sends its headers slowly, or none, is hung up on', async () => {
    const { url } = await listening({ limits: { headersMs: 150, checkMs: 50 } });
    const [slow] = await Promise.all([
      spoken(url, 'GET /v1/status HTTP/1.1\r\nHost: loc'),
      spoken(url, ''),
    ]);
    expect(slow).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('that sends its body slowly is hung up on', async () => {
    const { url } = await listening({ limits: { headersMs: 100, requestMs: 200, checkMs: 50 } });
    const head = [
      ...['POST /v1/stop HTTP/1.1', `Host: ${url.host}`, `Authorization: Bearer ${TOKEN}`],
      ...['Content-Type: application/json', 'Content-Length: 2'],
    ];
    expect(await spoken(url, `${head.join('\r\n')}\r\n\r\n{`)).not.toMatch(/ 200 /);
  });

  test('gets an answer to nonsense, and no more', async () => {
    const { url, ask } = await listening();
    expect(await spoken(url, 'HELO there\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await spoken(url, 'GET /v1/status HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await spoken(url, 'GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
    expect((await ask('/health')).status).toBe(200);
  });
});

describe('the pages', () => {
  async function built() {
    const parent = await temporaryDirectory();
    const pages = join(parent, 'dashboard');
    await mkdir(join(pages, 'assets'), { recursive: true });
    await writeFile(join(parent, 'api-token'), TOKEN);
    await writeFile(join(pages, 'index.html'), '<title>Starling</title>');
    await writeFile(join(pages, 'assets/app-1a2b.js'), 'export {};');
    await writeFile(join(pages, '.secret'), TOKEN);
    return pages;
  }

  test('come without a token, strictly, hashed ones for ever', async () => {
    const { ask } = await listening({}, { pages: await built() });
    const index = await ask('/');
    expect([index.status, index.body]).toEqual([200, '<title>Starling</title>']);
    expect(index.headers).toMatchObject({
      'cache-control': 'no-cache',
      'content-security-policy': expect.stringMatching(
        /default-src 'self'.*frame-ancestors 'none'/,
      ),
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    const script = await ask('/assets/app-1a2b.js');
    expect(script.headers['cache-control']).toMatch(/immutable/);
    expect(script.headers['content-type']).toMatch(/javascript/);
    const gone = await ask('/assets/app-0000.js');
    expect([gone.status, gone.headers['cache-control']]).toEqual([404, 'no-store']);
  });

  test('are all that is there, however a path is written', async () => {
    const { ask } = await listening({}, { pages: await built() });
    const paths = [
      '/../api-token',
      '/..%2fapi-token',
      '/%2e%2e/api-token',
      '/assets/../../api-token',
    ];
    const odd = [
      '/assets/..%5c..%5capi-token',
      '/%00',
      '/.secret',
      '/assets',
      '/assets/',
      '//etc/passwd',
    ];
    for (const path of [...paths, ...odd, '/%252e%252e/api-token', '/....//api-token']) {
      const { status, body } = await ask(path);
      expect([path, status >= 400 && status < 500]).toEqual([path, true]);
      expect(body).not.toContain(TOKEN);
    }
  });

  test('say how to build them where they are not', async () => {
    const { ask } = await listening({}, { pages: '/nowhere/at/all' });
    const { status, body, headers } = await ask('/');
    expect([status, headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(body).toContain('npm run build');
  });
});

describe('TLS', () => {
  test('serves every address, under the same guard', async () => {
    const tls = await selfSigned(await temporaryDirectory());
    const { ask, url } = await listening({ host: '0.0.0.0', tls });
    expect(url.protocol).toBe('https:');
    const ca = tls.cert;
    expect((await ask('/v1/status', { ca, headers: BEARER })).status).toBe(200);
    expect((await ask('/v1/status', { ca })).status).toBe(401);
    const plain = { ...BEARER, host: url.host, origin: `http://${url.host}` };
    expect((await ask('/v1/status', { ca, headers: plain })).status).toBe(403);
    const rebound = { ...BEARER, host: 'evil.example' };
    expect((await ask('/v1/status', { ca, headers: rebound })).status).toBe(421);
    await expect(ask('/v1/status', { headers: BEARER })).rejects.toThrow(/self-signed/);
  });

  test('is demanded of everything but loopback', async () => {
    const open = listening({ host: '0.0.0.0' });
    await expect(open).rejects.toThrow(/api\.listen: 0\.0\.0\.0 is not loopback.*api\.tls/);
  });
});
