import type { Entry } from '../outbox.ts';
import { BusyError, GoneError, RefusedError, type Sink } from '../sink.ts';
import { signedHeaders } from './signature.ts';
import { deadlineOf } from './within.ts';

export interface WebhookOptions {
  readonly url: string;
  /** The newest first; receivers take any. */
  readonly keys: readonly Uint8Array[];
  readonly timeoutMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Longest pause that a receiver may ask for. */
const RETRY_AFTER_MAX_MS = 3_600_000;

/** One request for each event, in order; a 2xx answer confirms it. */
export class WebhookSink implements Sink {
  readonly batch = 1;
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  async deliver([entry]: readonly Entry[], signal: AbortSignal): Promise<void> {
    if (entry === undefined) return;
    const { url, keys, timeoutMs, now } = this.#options;
    const { event } = entry;
    const body = JSON.stringify(event);
    const seconds = Math.floor(now() / 1000);
    const headers = signedHeaders(keys, { id: event.id, seconds, body });
    const deadline = deadlineOf(timeoutMs, signal);
    try {
      const response = await post(url, { headers, body, signal: deadline.signal });
      if (!response.ok) throw failureOf(response, now());
    } finally {
      deadline.end();
    }
  }

  async close(): Promise<void> {}
}

async function post(
  url: string,
  { headers, ...rest }: Pick<RequestInit, 'body' | 'signal'> & { headers: Record<string, string> },
): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...{ 'content-type': 'application/cloudevents+json', 'user-agent': 'starling' },
      ...headers,
    },
    // A redirect would carry the event to where its owner did not send it.
    redirect: 'manual',
    ...rest,
  });
  // Nothing in the answer matters; unread it would hold the connection.
  await response.body?.cancel();
  return response;
}

/** Which answers are final: those that say that the request itself is wrong. */
function failureOf({ status, headers }: Response, now: number): Error {
  const said = `the receiver answered ${status}`;
  if (status === 410) return new GoneError(said);
  const wait = retryAfterMs(headers.get('retry-after'), now);
  if ((status === 429 || status === 503) && wait !== undefined) return new BusyError(said, wait);
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  if (isFinal) return new RefusedError(said);
  return new Error(said);
}

/** `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3). */
function retryAfterMs(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}
