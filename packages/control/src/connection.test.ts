import { ConfigError } from '@starling/core';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../test/helpers/free-port.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import {
  controlSocket,
  createControlClient,
  createControlServer,
  type JobEvent,
  type TcpOptions,
} from './index.ts';
import { selfSigned } from './testing/certificate.ts';
import { EVENT, FILE, harmless, ID, JOB, STATUS } from './testing/handlers.ts';

const TOKEN = 'x'.repeat(43);

async function serving(tcp?: Partial<TcpOptions>, token = async () => TOKEN) {
  let tell: (event: JobEvent) => void = () => {};
  const socket = controlSocket(await temporaryDirectory());
  const handlers = harmless({
    watch(listen) {
      tell = listen;
      return () => {};
    },
  });
  const server = await createControlServer(socket, handlers, {
    token,
    tcp: tcp && { host: '127.0.0.1', port: 0, ...tcp },
  });
  onTestFinished(() => server.close());
  return { socket, server, tell: (event: JobEvent) => tell(event) };
}

test('over TCP the client is the same', async () => {
  const { server, tell } = await serving({});
  const client = createControlClient({ url: server.url!, token: TOKEN });
  expect(await client.status()).toEqual(STATUS);
  expect(await client.job(ID)).toEqual(JOB);
  expect((await client.launch(FILE, new Uint8Array(2_000_000))).copies).toBe(2);
  expect(await client.refuse(ID)).toMatchObject({ standing: 'refused' });
  const kinds: string[] = [];
  for await (const { kind } of client.events(ID)) {
    kinds.push(kind);
    if (kinds.length === 2) break;
    tell(EVENT);
  }
  expect(kinds).toEqual(['now', 'phase']);
  const all = client.allEvents()[Symbol.asyncIterator]();
  const first = all.next();
  const telling = setInterval(() => tell({ ...EVENT, job: 'cd'.repeat(32) }), 5);
  expect(await first).toMatchObject({ value: { job: 'cd'.repeat(32), kind: 'phase' } });
  clearInterval(telling);
  await all.return?.(undefined);
});

test('over TLS it trusts the authority that it is told', async () => {
  const tls = await selfSigned(await temporaryDirectory());
  const { server } = await serving({ host: '0.0.0.0', tls });
  const url = server.url!;
  const client = createControlClient({ url, token: TOKEN, ca: tls.cert });
  expect(await client.status()).toEqual(STATUS);
  const doubtful = createControlClient({ url, token: TOKEN }).status();
  await expect(doubtful).rejects.toThrow(/certificate of https:.* is not trusted.*--ca/);
  const plain = createControlClient({ url: url.replace('https', 'http'), token: TOKEN });
  await expect(plain.status()).rejects.toThrow(/no answer at http:/);
});

test('what is wrong is said with the next step', async () => {
  const { server } = await serving({});
  const url = server.url!;
  const failing = async (target: { url: string; token: string }) => {
    const caught = await createControlClient(target)
      .status()
      .catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(ConfigError);
    return (caught as ConfigError).message;
  };
  expect(await failing({ url, token: 'wrong' })).toMatch(/refuses the token.*--token-file/);
  const silent = `http://127.0.0.1:${await freePort()}`;
  expect(await failing({ url: silent, token: TOKEN })).toMatch(/no answer at .*api\.listen/);
  const noTls = { url: url.replace('http:', 'https:'), token: TOKEN };
  expect(await failing(noTls)).toMatch(/speaks no TLS/);
  expect(await failing({ url: 'http://192.0.2.7:1', token: TOKEN })).toMatch(
    /for all to read.*https/,
  );
  for (const odd of ['127.0.0.1:7380', 'ftp://127.0.0.1', `${url}/v1`, 'x']) {
    expect(await failing({ url: odd, token: TOKEN })).toMatch(/is no address of an API/);
  }
});

test('the owner asks for a listener, and gets one of loopback, once', async () => {
  const { socket, server } = await serving();
  expect(server.url).toBeUndefined();
  const owner = createControlClient(socket);
  const [first, second] = await Promise.all([owner.listen(), owner.listen()]);
  expect(second).toEqual(first);
  expect(first).toMatchObject({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
  const client = createControlClient(first);
  expect(await client.status()).toEqual(STATUS);
  await expect(client.listen()).rejects.toMatchObject({ code: 'unknown-route' });
});

test('the owner is told the token that the listener knows, not what its file is now', async () => {
  let made = 0;
  const { socket } = await serving(undefined, async () => `${TOKEN}${made++}`);
  const owner = createControlClient(socket);
  await Promise.all([owner.listen(), owner.listen()]);
  expect(await createControlClient(await owner.listen()).status()).toEqual(STATUS);
  expect(made).toBe(1);
});

test('the owner is told the listener of the configuration where a browser can use it', async () => {
  const { socket, server } = await serving({});
  expect(await createControlClient(socket).listen()).toEqual({ url: server.url, token: TOKEN });
});

test('a daemon that ends does not wait for its readers', async () => {
  const { server } = await serving({});
  const client = createControlClient({ url: server.url!, token: TOKEN });
  const stream = client.events(ID)[Symbol.asyncIterator]();
  await stream.next();
  const next = stream.next().catch((error: unknown) => error);
  await server.close();
  const ended = await next;
  expect(ended instanceof ConfigError || (ended as { done?: boolean }).done).toBe(true);
});
