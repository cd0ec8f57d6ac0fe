import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ConfigError, errorMessage } from '@starling/core';
import type { FastifyServerFactory } from 'fastify';
import { isLoopback, type ListenAddress } from './addresses.ts';
import { type AppParts, createApp } from './app.ts';
import { Guard, type Refusal, type SiteGuard } from './guard.ts';
import { BROWSER_HEADERS, NOT_KEPT } from './static.ts';

/** Certificate chain and private key, in PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Against clients that are slow on purpose; milliseconds. */
export interface TcpLimits {
  readonly headersMs: number;
  readonly requestMs: number;
  /** Between two looks at who is too slow. */
  readonly checkMs: number;
  readonly connections: number;
}

export interface TcpOptions extends ListenAddress {
  /** Plain HTTP unless told; for loopback only. */
  readonly tls?: TlsFiles | undefined;
  /** Names by which others call it, beside its addresses. */
  readonly hosts?: readonly string[];
  readonly limits?: Partial<TcpLimits>;
}

export interface TcpListener {
  readonly url: string;
  close(): Promise<void>;
}

/** A launch uploads hundreds of megabytes. */
const LIMITS: TcpLimits = {
  ...{ headersMs: 10_000, requestMs: 600_000, checkMs: 1_000, connections: 256 },
};

/**
 * Serves the API and the dashboard over TCP, to those who have the token.
 * @throws ConfigError when it cannot listen there
 */
export async function listenTcp(
  parts: AppParts,
  token: string,
  options: TcpOptions,
): Promise<TcpListener> {
  const { host, port, tls, hosts = [] } = options;
  if (tls === undefined && !isLoopback(host)) {
    const hint = 'Name a certificate in api.tls, or listen on 127.0.0.1';
    throw new ConfigError('api.listen', `${host} is not loopback and demands TLS`, hint);
  }
  const scheme = tls === undefined ? 'http' : 'https';
  const guard = new Guard({ scheme, hosts, token, now: () => performance.now() });
  const app = await createApp(parts, { guard, serverFactory: factoryOf(guard, options) });
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const hint = 'Choose another port, or 0 for any that is free';
    const problem = `cannot listen on ${host}, port ${port} (${errorMessage(error)})`;
    throw new ConfigError('api.listen', problem, hint);
  }
  const bound = app.server.address() as AddressInfo;
  const named = isLoopback(bound.address) ? undefined : hosts[0];
  const url = `${scheme}://${named ?? shownHost(bound.address)}:${bound.port}`;
  return { url, close: () => app.close() };
}

/** Every address is listened on, or one that is written into a URL as it is. */
export function shownHost(address: string): string {
  if (address === '0.0.0.0' || address === '::') return 'localhost';
  return address.includes(':') ? `[${address}]` : address;
}

/** A server that looks at each request before the routes do. */
export function factoryOf(
  guard: Pick<SiteGuard, 'beforeRouting'>,
  { tls, limits }: Pick<TcpOptions, 'tls' | 'limits'>,
): FastifyServerFactory {
  return (handler) => {
    const listener: RequestListener = (request, response) => {
      const refusal = guard.beforeRouting(request);
      if (refusal === undefined) handler(request, response);
      else refuse(request, response, refusal);
    };
    const { headersMs, requestMs, checkMs, connections } = { ...LIMITS, ...limits };
    const timeouts = {
      ...{ headersTimeout: headersMs, requestTimeout: requestMs },
      connectionsCheckingInterval: checkMs,
    };
    const server: Server =
      tls === undefined
        ? createHttpServer(timeouts, listener)
        : createHttpsServer(
            { ...timeouts, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: headersMs },
            listener,
          );
    server.maxConnections = connections;
    return server;
  };
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, error }: Refusal,
): void {
  const body = JSON.stringify({ error, code });
  const own = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  response.writeHead(status, { ...BROWSER_HEADERS, ...NOT_KEPT, ...own });
  response.end(request.method === 'HEAD' ? undefined : body);
}
