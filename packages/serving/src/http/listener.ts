import type { AddressInfo } from 'node:net';
import {
  factoryOf,
  isLoopbackAddress,
  SiteGuard,
  shownHost,
  type TlsFiles,
} from '@starling/control';
import { ConfigError, errorMessage } from '@starling/core';
import type { FastifyInstance } from 'fastify';
import type { Serving } from '../serving.ts';
import { Clients, type ClientToken } from './clients.ts';
import { BODY_BYTES_MAX } from './open-inference.ts';
import { addRoutes, answerFailure } from './routes.ts';

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  /** Plain HTTP unless told; for loopback only. */
  readonly tls?: TlsFiles | undefined;
  /** Names by which others call it, beside its addresses. */
  readonly hosts: readonly string[];
  /** None lets in all who reach it; for loopback only. */
  readonly tokens: readonly ClientToken[];
  /** Of the program, for the server's metadata. */
  readonly version: string;
}

export interface HttpListener {
  readonly url: string;
  close(): Promise<void>;
}

/** Those of a client that keeps its connection count once; a minute is more than a run may take. */
const LIMITS = { headersMs: 10_000, requestMs: 60_000, checkMs: 1_000, connections: 1024 };

/**
 * Serves models by the Open Inference Protocol over HTTP.
 * @throws ConfigError when it cannot listen there, or may not
 */
export async function listenHttp(serving: Serving, options: HttpOptions): Promise<HttpListener> {
  const { host, port, tls, hosts, tokens } = options;
  const isOutside = !isLoopbackAddress({ host, port });
  if (isOutside && (tls === undefined || tokens.length === 0)) {
    const lacks = tls === undefined ? 'a certificate in serving.tls' : 'serving.tokens';
    throw new ConfigError('serving.listen', `${host} is not loopback`, `It demands ${lacks}`);
  }
  const scheme = tls === undefined ? 'http' : 'https';
  const bodies = ['application/json', 'application/octet-stream'];
  const guard = new SiteGuard({ scheme, hosts, hostsKey: 'serving.hosts', bodies });
  const app = await createServingApp(serving, options, factoryOf(guard, { tls, limits: LIMITS }));
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const problem = `cannot listen on ${host}, port ${port} (${errorMessage(error)})`;
    const hint = 'Choose another port, or 0 for any that is free';
    throw new ConfigError('serving.listen', problem, hint);
  }
  const bound = app.server.address() as AddressInfo;
  const named = isOutside ? hosts[0] : undefined;
  const url = `${scheme}://${named ?? shownHost(bound.address)}:${bound.port}`;
  return { url, close: () => app.close() };
}

async function createServingApp(
  serving: Serving,
  { tokens, version }: HttpOptions,
  serverFactory: ReturnType<typeof factoryOf>,
): Promise<FastifyInstance> {
  // Loaded here: a daemon that serves nothing does without.
  const { default: fastify } = await import('fastify');
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true },
    serverFactory,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.setErrorHandler((error, _, reply) => answerFailure(reply, error));
  app.setNotFoundHandler(({ method, url }, reply) => {
    const error = `this server has no ${method} ${url.replace(/\?.*$/s, '')}`;
    return reply.code(404).send({ error });
  });
  const clients = new Clients(tokens, () => performance.now());
  addRoutes(app, { serving, clients, version });
  return app;
}
