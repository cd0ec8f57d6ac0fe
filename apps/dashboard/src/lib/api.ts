import { EventReader, type ServerEvent } from './sse.ts';

/** What the daemon refused, in its own words, and the key that it names. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly key: string | undefined;

  constructor(status: number, code: string, message: string, key?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.key = key;
  }
}

/** The daemon's API over fetch. Everything it sends carries the token; nothing is kept. */
export interface Api {
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** Events from now on, until the signal or the daemon ends them. */
  events(path: string, stream: EventStream): AsyncIterable<ServerEvent>;
}

export interface EventStream {
  readonly signal: AbortSignal;
  /** Id of the last event that was seen; the daemon tells what came after it. */
  readonly after: string | undefined;
  /** Called when the daemon has taken the request, before any event. */
  readonly opened: () => void;
}

/** @param refused told when the daemon does not take the token */
export function createApi(token: string, refused: () => void): Api {
  const call = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await answered(path, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      // The token is all there is to prove: no cookies, no cached secrets, no foreign redirects.
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
    });
    if (response.status === 401) refused();
    if (!response.ok) throw await failureOf(response);
    return response;
  };
  return {
    async get<T>(path: string, signal?: AbortSignal) {
      return (await (await call(path, { ...(signal && { signal }) })).json()) as T;
    },
    async send<T>(method: string, path: string, body?: unknown) {
      const headers = { 'content-type': 'application/json' };
      const init =
        body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
      return (await (await call(path, init)).json()) as T;
    },
    async *events(path, { signal, after, opened }) {
      const accept = { accept: 'text/event-stream' };
      const headers = after === undefined ? accept : { ...accept, 'last-event-id': after };
      const { body } = await call(path, { headers, signal });
      opened();
      const reader = new EventReader();
      const text = body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await text.read();
        if (done) return;
        yield* reader.push(value);
      }
    },
  };
}

async function answered(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    const message = 'The daemon does not answer. `starling up` starts it again';
    throw new ApiError(0, 'no-answer', message);
  }
}

async function failureOf(response: Response): Promise<ApiError> {
  const unknown = `The daemon answered ${response.status}`;
  try {
    const { error, code, key } = (await response.json()) as Record<string, unknown>;
    return new ApiError(
      response.status,
      String(code ?? 'unknown'),
      String(error ?? unknown),
      typeof key === 'string' ? key : undefined,
    );
  } catch {
    return new ApiError(response.status, 'unknown', unknown);
  }
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
