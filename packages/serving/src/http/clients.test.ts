import { ConfigError } from '@starling/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { servingOne } from '../testing/serve.ts';
import { type HttpOptions, listenHttp } from './listener.ts';

const TOKENS = [
  { name: 'ada', token: 'a-secret' },
  { name: 'bob', token: 'b-secret' },
];

async function listening(options: Partial<HttpOptions>, quota: number | null = null) {
  const { serving } = await servingOne({ quota });
  const listener = await listenHttp(serving, {
    ...{ host: '127.0.0.1', port: 0, hosts: [], tokens: TOKENS, version: '0' },
    ...options,
  });
  onTestFinished(() => listener.close());
  return async (token?: string, path = '/v2/models/m/infer') => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }];
    const response = await fetch(`${listener.url}${path}`, {
      method: path.endsWith('infer') ? 'POST' : 'GET',
      headers: {
        ...(path.endsWith('infer') && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(path.endsWith('infer') && { body: JSON.stringify({ inputs }) }),
    });
    const { error } = (await response.json()) as { error?: string };
    return { status: response.status, error, retry: response.headers.get('retry-after') };
  };
}

describe('who may ask', () => {
  test('who has a token of the list, each under its name; probes need none', async () => {
    const ask = await listening({});
    expect((await ask('a-secret')).status).toBe(200);
    expect((await ask('b-secret')).status).toBe(200);
    expect(await ask()).toMatchObject({
      status: 401,
      error: expect.stringMatching(/serving.tokens/),
    });
    expect(await ask('c-secret')).toMatchObject({ status: 401, error: 'the token is wrong' });
    expect((await ask(undefined, '/v2')).status).toBe(401);
    expect((await ask(undefined, '/v2/models/m')).status).toBe(401);
    expect((await ask(undefined, '/v2/health/live')).status).toBe(200);
    expect((await ask(undefined, '/v2/health/ready')).status).toBe(200);
  });

  test('wrong tokens make wait, the right one does not', async () => {
    const ask = await listening({});
    for (let i = 0; i < 5; i++) await ask('guess');
    expect(await ask('guess')).toMatchObject({ status: 429, retry: '1' });
    expect((await ask('a-secret')).status).toBe(200);
  });

  test('each client has its own quota', async () => {
    const ask = await listening({}, 2);
    expect((await ask('a-secret')).status).toBe(200);
    expect((await ask('a-secret')).status).toBe(200);
    const refused = await ask('a-secret');
    expect(refused).toMatchObject({
      status: 429,
      error: expect.stringMatching(/2 requests a minute/),
    });
    expect(Number(refused.retry)).toBeGreaterThan(0);
    expect((await ask('b-secret')).status).toBe(200);
  });

  test('outside of the machine nobody listens without TLS and tokens', async () => {
    const { serving } = await servingOne();
    const open = (options: Partial<HttpOptions>) =>
      listenHttp(serving, {
        ...{ host: '0.0.0.0', port: 0, hosts: [], tokens: [], version: '0', ...options },
      });
    await expect(open({ tokens: TOKENS })).rejects.toThrow(ConfigError);
    await expect(open({ tokens: TOKENS })).rejects.toThrow(/serving\.listen: .*serving\.tls/);
    const tls = { cert: '', key: '' };
    await expect(open({ tls })).rejects.toThrow(/demands serving\.tokens/);
  });
});
