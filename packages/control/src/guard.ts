import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from './addresses.ts';
import { WrongTokens } from './wrong-tokens.ts';

/** Why a request gets nothing. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly error: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SiteOptions {
  readonly scheme: 'http' | 'https';
  /** Names by which the listener may be called, beside the loopback names and its address. */
  readonly hosts: readonly string[];
  /** Where the configuration has those names. */
  readonly hostsKey: string;
  /** Types of bodies; none that a form of a web page can send without asking first. */
  readonly bodies: readonly string[];
}

export interface GuardOptions extends Pick<SiteOptions, 'scheme' | 'hosts'> {
  readonly token: string;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Keeps other hosts and web pages out of a listener that a browser can reach: DNS rebinding by the
 * name it is called by, cross-site requests by what browsers say of where they come from.
 */
export class SiteGuard {
  readonly #options: SiteOptions;
  readonly #names: ReadonlySet<string>;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.#names = new Set([...LOOPBACK_NAMES, ...options.hosts].map((name) => name.toLowerCase()));
  }

  /** What is wrong with a request whoever sends it; asked before its route is looked for. */
  beforeRouting(request: IncomingMessage): Refusal | undefined {
    const { headers } = request;
    const { scheme, hostsKey, bodies } = this.#options;
    const host = headers.host?.toLowerCase();
    if (host === undefined || !this.#isOwnName(host, request)) {
      const words = 'this daemon is not called by this name; a name of its own belongs into';
      const error = `${words} ${hostsKey}`;
      return { status: 421, code: 'host', error };
    }
    const { origin } = headers;
    if (origin !== undefined && origin.toLowerCase() !== `${scheme}://${host}`) {
      return { status: 403, code: 'origin', error: 'pages of other origins get nothing here' };
    }
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return { status: 403, code: 'origin', error: 'pages of other sites get nothing here' };
    }
    return contentRefusal(request, bodies);
  }

  /** Behind a tunnel the port differs; the name is what rebinding cannot choose. */
  #isOwnName(host: string, { socket }: IncomingMessage): boolean {
    const [, name] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(host) ?? [];
    if (name === undefined) return false;
    return this.#names.has(name) || name === bracketed(plainAddress(socket.localAddress));
  }
}

/** The same, and all others are kept out by the token. */
export class Guard extends SiteGuard {
  readonly #token: Buffer;
  readonly #wrong: WrongTokens;

  constructor({ scheme, hosts, token, now }: GuardOptions) {
    super({ scheme, hosts, hostsKey: 'api.hosts', bodies: ['application/json'] });
    this.#token = digest(token);
    this.#wrong = new WrongTokens(now);
  }

  /**
   * What is wrong with its token. A few wrong ones make their sender wait, but never keep out the
   * right one: on one machine all have the same address.
   */
  token(request: IncomingMessage): Refusal | undefined {
    const [, given] =
      /^Bearer ([A-Za-z0-9_-]{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
    // Of hashes, so that the time tells nothing, the length neither.
    if (given !== undefined && timingSafeEqual(digest(given), this.#token)) return undefined;
    const address = addressOf(request);
    const waitSeconds = this.#wrong.waitSeconds(address);
    if (waitSeconds > 0) {
      const headers = { 'retry-after': String(waitSeconds) };
      const error = `too many wrong tokens; try again in ${waitSeconds} s`;
      return { status: 429, code: 'too-many', error, headers };
    }
    const headers = { 'www-authenticate': 'Bearer realm="starling"' };
    if (given === undefined) {
      const error = 'this needs the token of the file api-token in the state directory';
      return { status: 401, code: 'token', error, headers };
    }
    this.#wrong.add(address);
    return { status: 401, code: 'token', error: 'the token is wrong', headers };
  }
}

/** A form of a web page can send neither of them without asking first. */
function contentRefusal(
  { headers }: IncomingMessage,
  bodies: readonly string[],
): Refusal | undefined {
  const type = headers['content-type'];
  const length = headers['content-length'] ?? '0';
  const hasBody = length !== '0' || headers['transfer-encoding'] !== undefined;
  if (type === undefined && !hasBody) return undefined;
  const name = type?.split(';')[0]?.trim().toLowerCase();
  if (name !== undefined && bodies.includes(name)) return undefined;
  const error = `bodies are to be ${bodies.join(' or ')}`;
  return { status: 415, code: 'content-type', error };
}

export const isFromLoopback = (request: IncomingMessage): boolean => isLoopback(addressOf(request));

export const addressOf = ({ socket }: IncomingMessage): string =>
  plainAddress(socket.remoteAddress);

/** IPv4 over a socket of both kinds comes as ::ffff:192.0.2.7. */
const plainAddress = (address = ''): string => address.replace(/^::ffff:(?=\d+\.)/, '');

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

export const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
