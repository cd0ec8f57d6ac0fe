import { chmod, rm } from 'node:fs/promises';
import { ConfigError, errorMessage } from '@starling/core';
import { isLoopbackAddress } from './addresses.ts';
import { createApp } from './app.ts';
import { EventHub } from './event-hub.ts';
import type { ControlHandlers } from './handlers.ts';
import type { ListenView } from './listen-schema.ts';
import type { TcpListener, TcpOptions } from './tcp.ts';

/** What the API is beside the Unix socket. */
export interface ApiOptions {
  /** The secret that requests over TCP show; asked for when something listens. */
  readonly token: () => Promise<string>;
  /** Where it listens; nowhere unless told, or until the owner asks for it. */
  readonly tcp?: TcpOptions | undefined;
  /** Directory of the built dashboard, which may be absent. */
  readonly pages?: string;
}

/** Below the minute after which proxies give a silent connection up. */
const HEARTBEAT_MS = 15_000;

export interface ControlServer {
  readonly socket: string;
  /** Of the listener that the configuration names. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

/**
 * Serves the API on a Unix socket that only its owner may open: no token is needed, and no web page
 * can reach it. Beside it over TCP, where `api` says so or the owner asks, to who has the token.
 * @throws ConfigError when it cannot listen
 */
export async function createControlServer(
  socket: string,
  handlers: ControlHandlers,
  api?: ApiOptions,
  { heartbeatMs = HEARTBEAT_MS }: { readonly heartbeatMs?: number } = {},
): Promise<ControlServer> {
  const events = new EventHub({ now: Date.now() });
  const parts = { handlers, events, heartbeatMs, pages: api?.pages };
  const listeners =
    api &&
    new Listeners(api, async (token, tcp) => {
      const { listenTcp } = await import('./tcp.ts');
      return listenTcp(parts, token, tcp);
    });
  const app = await createApp(parts, listeners ? { listen: () => listeners.forBrowser() } : {});
  const close = async () => {
    await Promise.all([app.close(), listeners?.close()]);
  };
  // The state directory's lock is ours, so a socket left there belongs to a dead process.
  await rm(socket, { force: true });
  try {
    await app.listen({ path: socket });
    await chmod(socket, 0o600);
  } catch (error) {
    await close();
    const hint = 'The path of a Unix socket may have at most 107 characters';
    throw new ConfigError('socket', `cannot listen on ${socket} (${errorMessage(error)})`, hint);
  }
  try {
    await listeners?.open();
  } catch (error) {
    await close();
    throw error;
  }
  const leave = handlers.watch((event) => events.add(event));
  return {
    socket,
    url: listeners?.url,
    close: async () => {
      leave();
      await close();
    },
  };
}

type Listen = (token: string, options: TcpOptions) => Promise<TcpListener>;

/** The listener that the configuration names, and the one that the owner's browser needs. */
class Listeners {
  readonly #api: ApiOptions;
  readonly #listen: Listen;
  #configured: TcpListener | undefined;
  #browser: Promise<TcpListener> | undefined;
  #token: Promise<string> | undefined;

  constructor(api: ApiOptions, listen: Listen) {
    this.#api = api;
    this.#listen = listen;
  }

  get url(): string | undefined {
    return this.#configured?.url;
  }

  async open(): Promise<void> {
    const { tcp } = this.#api;
    if (tcp !== undefined) this.#configured = await this.#listen(await this.#secret(), tcp);
  }

  async forBrowser(): Promise<ListenView> {
    const token = await this.#secret();
    const { tcp } = this.#api;
    if (this.#configured !== undefined && tcp !== undefined && isLoopbackAddress(tcp)) {
      return { url: this.#configured.url, token };
    }
    this.#browser ??= this.#listen(token, { host: '127.0.0.1', port: 0 }).catch((error) => {
      this.#browser = undefined;
      throw error;
    });
    return { url: (await this.#browser).url, token };
  }

  /** One for all listeners, from its first use on: whatever becomes of its file, they know this. */
  #secret(): Promise<string> {
    this.#token ??= this.#api.token().catch((error) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  async close(): Promise<void> {
    const browser = await this.#browser?.catch(() => undefined);
    await Promise.all([this.#configured?.close(), browser?.close()]);
  }
}
