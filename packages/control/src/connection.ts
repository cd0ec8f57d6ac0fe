import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { ConfigError, errorMessage } from '@starling/core';
import { isLoopback } from './addresses.ts';

/** A daemon over TCP. */
export interface RemoteDaemon {
  /** http://127.0.0.1:7380, or https of anywhere. */
  readonly url: string;
  readonly token: string;
  /** PEM of the authority to trust, in place of those that the system trusts. */
  readonly ca?: string | undefined;
}

/** A daemon: the path of its Unix socket, or its address. */
export type ControlTarget = string | RemoteDaemon;

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Told how much of a long body is on its way. */
  readonly onSent?: Progress | undefined;
}

/** @param total bytes in all; NaN where they are not known */
export type Progress = (done: number, total: number) => void;

/** A body is sent in such pieces. */
const PIECE_BYTES = 256 * 1024;

export interface Response {
  readonly status: number;
  readonly stream: IncomingMessage;
}

/** How messages name the daemon. */
export const nameOf = (target: ControlTarget): string =>
  typeof target === 'string' ? target : target.url;

/**
 * Sends a request; resolves with the head of the answer.
 * @throws ConfigError that says what hinders it, and the next step
 */
export async function open(target: ControlTarget, ask: Ask): Promise<Response> {
  const { method, path, body, signal } = ask;
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const { send, options } = routeTo(target);
  const headers = {
    ...options.headers,
    ...(payload !== undefined && {
      ...{ 'content-type': 'application/json', 'content-length': payload.length },
    }),
  };
  return new Promise((resolve, reject) => {
    // One connection for each call: a kept one that the daemon closes fails with nobody to hear it.
    const all = { ...options, method, path, headers, agent: false as const };
    const request = send({ ...all, ...(signal && { signal }) });
    request.on('response', (stream) => {
      const status = stream.statusCode ?? 500;
      if (status === 401) {
        stream.destroy();
        reject(tokenRefused(nameOf(target)));
      } else resolve({ status, stream });
    });
    request.on('error', (error) => reject(failureOf(target, error)));
    void sendBody(request, payload, ask.onSent);
  });
}

/** Writes no faster than the other side reads, so that progress is what it says. */
async function sendBody(
  request: ClientRequest,
  payload: Buffer | undefined,
  onSent: Progress | undefined,
): Promise<void> {
  const total = payload?.length ?? 0;
  for (let at = 0; at < total && !request.destroyed; at += PIECE_BYTES) {
    const isTaken = request.write(payload!.subarray(at, at + PIECE_BYTES));
    onSent?.(Math.min(at + PIECE_BYTES, total), total);
    // A connection that breaks drains nothing; its error is told elsewhere.
    if (!isTaken) await Promise.race([once(request, 'drain'), once(request, 'close')]);
  }
  request.end();
}

interface Way {
  readonly send: typeof httpRequest | typeof httpsRequest;
  readonly options: RequestOptions;
}

function routeTo(target: ControlTarget): Way {
  if (typeof target === 'string') return { send: httpRequest, options: { socketPath: target } };
  const { protocol, hostname, port } = urlOf(target);
  const host = hostname.replace(/^\[|\]$/g, '');
  const headers = { authorization: `Bearer ${target.token}` };
  const options = { host, port, headers };
  if (protocol === 'https:') {
    return { send: httpsRequest, options: { ...options, ...(target.ca && { ca: target.ca }) } };
  }
  if (isLoopback(host) || host === 'localhost') return { send: httpRequest, options };
  const hint = 'Use https: the daemon serves it where its configuration has api.tls';
  throw new ConfigError('api', `the token would go to ${target.url} for all to read`, hint);
}

function urlOf({ url }: RemoteDaemon): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isOrigin =
    parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.pathname === '/';
  if (isOrigin) return parsed;
  const hint = 'Give the address that `starling up` printed, such as http://127.0.0.1:7380';
  throw new ConfigError('api', `"${url}" is no address of an API`, hint);
}

const tokenRefused = (url: string): ConfigError =>
  new ConfigError(
    'api',
    `${url} refuses the token`,
    "Copy the file api-token of that daemon's state directory, and name it with --token-file",
  );

/** Of a certificate that was looked at, and not liked. */
const CERTIFICATE = /CERT|SIGNATURE|^ERR_TLS_/;

function failureOf(target: ControlTarget, error: Error): ConfigError {
  const name = nameOf(target);
  const reason = errorMessage(error);
  const { code = '' } = error as NodeJS.ErrnoException;
  if (typeof target === 'string') {
    const hint = 'Start it with `starling up`, or name its state directory with --state';
    return new ConfigError('daemon', `no answer at ${name} (${reason})`, hint);
  }
  if (CERTIFICATE.test(code)) {
    const hint = 'Name the certificate of its authority with --ca, or the host as it is in there';
    return new ConfigError('api', `the certificate of ${name} is not trusted (${reason})`, hint);
  }
  if (code === 'EPROTO') {
    const hint = 'Is it served without TLS? Then write http://';
    return new ConfigError('api', `${name} speaks no TLS (${reason})`, hint);
  }
  const hint = 'Is it up, and does its configuration have api.listen? `starling status` there says';
  return new ConfigError('daemon', `no answer at ${name} (${reason})`, hint);
}
