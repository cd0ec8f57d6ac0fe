import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Buckets, S3Fault, type S3Request } from './s3-buckets.ts';

/** What the server does instead of answering, or beside it. */
export type Mishap =
  | 'overloaded'
  | 'forbidden'
  | 'full'
  | 'broken body'
  | 'broken connection'
  /** It does what it is asked, and the answer is lost. */
  | 'lost answer'
  /** A byte of what was sent arrives wrong. */
  | 'wrong byte';

export interface S3Server {
  readonly endpoint: string;
  readonly buckets: S3Buckets;
  /** Objects by bucket/key. */
  readonly objects: Map<string, Uint8Array>;
  /** Mishaps of the next requests, one after the other. */
  readonly mishaps: Mishap[];
  /** Mishaps by what is asked, after those in the list. */
  mishapOf: (request: string) => Mishap | undefined;
  /** Method and address of each request. */
  readonly requests: string[];
  close(): Promise<void>;
}

/**
 * As much of S3 as Starling takes, in memory: ranges, conditions, lists in pages of three,
 * multipart uploads, MD5 of what is sent, credentials by their name. For tests of what goes wrong;
 * what real stores do, a real one must say.
 */
export async function startS3Server(accessKey: string): Promise<S3Server> {
  const buckets = new S3Buckets();
  const given: S3Server = {
    ...{ endpoint: '', buckets, objects: buckets.objects, mishaps: [], requests: [] },
    ...{ mishapOf: () => undefined, close: async () => {} },
  };
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    given.requests.push(line);
    const mishap = given.mishaps.shift() ?? given.mishapOf(line);
    answer(request, response, { buckets, mishap, accessKey }).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return Object.assign(given, { endpoint: `http://127.0.0.1:${port}`, close });
}

interface Answering {
  readonly buckets: S3Buckets;
  readonly mishap: Mishap | undefined;
  readonly accessKey: string;
}

const REFUSALS: Readonly<Partial<Record<Mishap, readonly [number, string]>>> = {
  overloaded: [503, 'SlowDown'],
  forbidden: [403, 'AccessDenied'],
  full: [403, 'QuotaExceeded'],
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { buckets, mishap, accessKey }: Answering,
): Promise<void> {
  if (mishap === 'broken connection') return void request.socket.destroy();
  const body = await bodyOf(request);
  if (mishap === 'wrong byte' && body.length > 0) body[body.length >> 1]! ^= 1;
  const [status, code] = REFUSALS[mishap!] ?? [];
  if (status !== undefined) return fail(request, response, new S3Fault(status, code!));
  if (!request.headers.authorization?.includes(`Credential=${accessKey}/`)) {
    return fail(request, response, new S3Fault(403, 'InvalidAccessKeyId'));
  }
  try {
    const result = buckets.answer(requestOf(request, body));
    if (mishap === 'lost answer') return void request.socket.destroy();
    const { status, headers, content = new Uint8Array() } = result;
    response.writeHead(status, { 'content-length': content.length, ...headers });
    if (request.method === 'HEAD') response.end();
    else if (mishap !== 'broken body') response.end(content);
    else response.write(content.subarray(0, content.length >> 1), () => request.socket.destroy());
  } catch (error) {
    if (!(error instanceof S3Fault)) throw error;
    fail(request, response, error);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function requestOf(request: IncomingMessage, body: Uint8Array): S3Request {
  const url = new URL(request.url!, 'http://s3');
  const [bucket = '', ...rest] = decodeURIComponent(url.pathname).slice(1).split('/');
  return {
    ...{ method: request.method!, bucket, key: rest.join('/'), query: url.searchParams },
    ...{ headers: request.headers as Record<string, string | undefined>, body },
  };
}

function fail(request: IncomingMessage, response: ServerResponse, fault: S3Fault): void {
  response.writeHead(fault.status, { 'content-type': 'application/xml' });
  const { message: code } = fault;
  const text = `<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.end(request.method === 'HEAD' ? undefined : text);
}
