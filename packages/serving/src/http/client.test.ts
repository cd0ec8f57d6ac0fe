import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError, ProtocolError } from '@starling/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../../test/helpers/temporary.ts';
import { selfSigned } from '../../../control/src/testing/certificate.ts';
import { floats, numbersOf } from '../testing/fake-engine.ts';
import { servingOne } from '../testing/serve.ts';
import { inferOver, modelOf } from './client.ts';
import { type HttpOptions, listenHttp } from './listener.ts';

const token = 'a-long-enough-secret';

async function listening(options: Partial<HttpOptions> = {}) {
  const { serving } = await servingOne();
  const listener = await listenHttp(serving, {
    ...{ host: '127.0.0.1', port: 0, hosts: [], tokens: [], version: '0', ...options },
  });
  onTestFinished(() => listener.close());
  return listener.url;
}

const ask = (server: Parameters<typeof inferOver>[0], outputs?: readonly string[]) =>
  inferOver(server, 'm', [floats([[1, 2]])], outputs);

describe('a client', () => {
  test('asks as the server answers, all outputs or some', async () => {
    const url = await listening();
    expect(await modelOf({ url }, 'm')).toMatchObject({ name: 'm', versions: ['1'] });
    const { version, outputs } = await ask({ url });
    expect([version, outputs.map(({ name }) => name)]).toEqual(['1', ['y', 'z']]);
    const [z] = (await ask({ url }, ['z'])).outputs;
    expect([z!.name, numbersOf(z!)]).toEqual(['z', [2, 3]]);
  });

  test('goes over TLS with a token, and is told why where it may not', async () => {
    const tls = await selfSigned(await temporaryDirectory());
    const tokens = [{ name: 'ward', token }];
    const url = await listening({ host: '0.0.0.0', tls, tokens, hosts: ['localhost'] });
    expect(url).toMatch(/^https:\/\/localhost:\d+$/);
    expect((await ask({ url, token, ca: tls.cert })).version).toBe('1');
    await expect(ask({ url, ca: tls.cert })).rejects.toThrow(/serving\.tokens/);
    await expect(ask({ url, token: 'another-secret', ca: tls.cert })).rejects.toThrow(/wrong/);
    await expect(ask({ url, token })).rejects.toThrow(ConfigError);
  });

  test('names what it cannot reach, and what is no server of the protocol', async () => {
    await expect(ask({ url: 'nowhere' })).rejects.toThrow(/^url: "nowhere" is no address/);
    await expect(ask({ url: 'http://127.0.0.1:1' })).rejects.toThrow(/^url: no answer at/);
    const answers = ['not JSON', '{}', '{"outputs":[{"name":"y","datatype":"FP99","shape":[]}]}'];
    const other = createServer((_, response) => response.end(answers.shift()));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    for (let i = 0; i < 3; i++) await expect(ask({ url })).rejects.toThrow(ProtocolError);
    expect(answers).toEqual([]);
  });

  test('is told what the server refuses, in its words', async () => {
    const url = await listening();
    const wrong = inferOver({ url }, 'm', [floats([[1, 2, 3]])]);
    await expect(wrong).rejects.toThrow(/"x" has the shape \[1, 3\]/);
    await expect(modelOf({ url }, 'n')).rejects.toThrow(/no model "n" is served/);
  });
});
