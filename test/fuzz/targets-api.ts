/** The control API over its socket and over TCP, asked by bytes. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, ProtocolError } from '@starling/core';
import { apiDocument } from '../../packages/control/src/api-document.ts';
import { createControlServer } from '../../packages/control/src/server.ts';
import { harmless, JOB } from '../../packages/control/src/testing/handlers.ts';
import { createDice } from '../../packages/secagg/src/testing/random.ts';
import { kindOf } from './api-promises.ts';
import { exchange } from './http-exchange.ts';
import { writeMessage } from './http-message.ts';
import { type ApiDocument, type Operation, sampleOf } from './openapi-samples.ts';
import { promise, type Target } from './target.ts';

const TOKEN = 'a-token-of-the-fuzzer';

/** Good requests of each operation, as often as `each`. */
export function requestsOf(document: ApiDocument, each: number): readonly Uint8Array[] {
  const dice = createDice(1);
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      Array.from({ length: each }, () => {
        const body = operation.requestBody?.content['application/json']?.schema;
        const value = body && sampleOf(body, dice, document);
        return writeMessage({
          start: `${method.toUpperCase()} ${target(path, operation)} HTTP/1.1`,
          headers: [
            ['host', 'localhost'],
            ['authorization', `Bearer ${TOKEN}`],
            ...(value === undefined ? [] : [['content-type', 'application/json'] as const]),
          ],
          body: value === undefined ? new Uint8Array(0) : Buffer.from(JSON.stringify(value)),
        });
      }),
    ),
  );

  function target(path: string, { parameters = [] }: Operation): string {
    const filled = path.replaceAll(/\{(\w+)\}/g, () =>
      dice.pick(['ab'.repeat(32), 'a', 'gr%C3%B6']),
    );
    const query = parameters
      .filter((parameter) => parameter.in === 'query' && dice.chance(0.7))
      .map(({ name, schema }) => `${name}=${sampleOf(schema, dice, document)}`);
    return query.length === 0 ? filled : `${filled}?${query.join('&')}`;
  }
}

/** Handlers that refuse now and then as the daemon's do, and hold no state. */
function moody() {
  let calls = 0;
  return harmless({
    job: async (id) => {
      if (id === 'a') throw new ProtocolError('unknown-job', `no job "${id}"`);
      return JOB;
    },
    policy: async () => {
      if (calls++ % 7 === 6) throw new ConfigError('policy.trust', 'is wrong', 'Correct it');
      return harmless().policy();
    },
  });
}

async function opened() {
  const directory = await mkdtemp(join(tmpdir(), 'starling-fuzz-'));
  const socket = join(directory, 'control.sock');
  const server = await createControlServer(socket, moody(), {
    token: async () => TOKEN,
    tcp: { host: '127.0.0.1', port: 0 },
  });
  return {
    socket: { path: socket },
    tcp: { host: '127.0.0.1', port: Number(new URL(server.url!).port) },
    close: async () => {
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** One request, all answers checked; none is an answer, too, where it was not all of a request. */
export async function ask(address: NetConnectOpts, bytes: Uint8Array): Promise<string> {
  const answers = await exchange(address, bytes);
  promise(!('polluted' in {}), 'a prototype was changed');
  return answers.length === 0 ? 'closed' : answers.map(kindOf).join(', ').slice(0, 80);
}

export async function apiTargets(): Promise<readonly Target[]> {
  const seeds = requestsOf((await apiDocument()) as ApiDocument, 2);
  return (['socket', 'tcp'] as const).map((way) => {
    let server: ReturnType<typeof opened> | undefined;
    return {
      name: `api.${way}`,
      format: 'http',
      seeds,
      isSlow: true,
      // Schemas are compiled when first asked for, and sockets keep buffers.
      memoryBase: 64 * 2 ** 20,
      run: async (bytes) => {
        server ??= opened();
        return ask((await server)[way], bytes);
      },
      close: async () => {
        await (await server)?.close();
        server = undefined;
      },
    } satisfies Target;
  });
}
