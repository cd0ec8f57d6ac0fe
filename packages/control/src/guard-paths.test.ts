import { request } from 'node:http';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { type ControlHandlers, controlSocket, createControlServer } from './index.ts';
import { harmless } from './testing/handlers.ts';

const SEGMENTS = [
  ...['v1', 'status', 'jobs', 'policy', 'data', 'swarm', 'events', 'metrics', 'openapi.json'],
  ...['assets', '..', '.', '', '%2e%2e', '%76%31', 'V1', 'v1;x', 'status?x', '%2f', '%00', '\\'],
];

/** Of an answer to a path that is sent as it is. */
const statusOf = (port: string, method: string, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on('error', reject).end();
  });

test('no spelling of a path gets anything out of a handler without the token', async () => {
  const called: string[] = [];
  // Whatever is asked of it, it tells.
  const handlers = new Proxy(harmless(), {
    get: (target, name) => {
      const handler = Reflect.get(target, name) as unknown;
      if (typeof handler !== 'function') return handler;
      return (...given: readonly unknown[]) => {
        called.push(String(name));
        return Reflect.apply(handler, target, given) as unknown;
      };
    },
  }) as ControlHandlers;
  const server = await createControlServer(controlSocket(await temporaryDirectory()), handlers, {
    token: async () => 'x'.repeat(43),
    tcp: { host: '127.0.0.1', port: 0 },
    pages: '/nowhere',
  });
  onTestFinished(() => server.close());
  const { port } = new URL(server.url!);
  // The stream of events begins with the server.
  expect(called.splice(0)).toEqual(['watch']);
  const path = fc
    .array(fc.constantFrom(...SEGMENTS), { minLength: 1, maxLength: 6 })
    .map((segments) => `/${segments.join('/')}`);
  const method = fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
  await fc.assert(
    fc.asyncProperty(method, path, async (wanted, url) => {
      expect(await statusOf(port, wanted, url)).toBeGreaterThanOrEqual(400);
      expect(called).toEqual([]);
    }),
    { numRuns: 400, seed: 7380 },
  );
});
