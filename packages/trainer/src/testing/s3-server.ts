import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server does instead of answering. */
export type Mishap = 'overloaded' | 'broken body' | 'broken connection';

export interface S3Server {
  readonly endpoint: string;
  /** Objects by bucket/key. */
  readonly objects: Map<string, Uint8Array>;
  /** Mishaps of the next requests, one after the other. */
  readonly mishaps: Mishap[];
  /** Method and address of each request. */
  readonly requests: string[];
  close(): Promise<void>;
}

const PAGE = 3;

/**
 * As much of S3 as reading takes: lists in pages of three, ranges, conditions, credentials by their
 * name. For tests of what goes wrong; what real stores do, a real one must say.
 */
export async function startS3Server(accessKey: string): Promise<S3Server> {
  const objects = new Map<string, Uint8Array>();
  const mishaps: Mishap[] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response, { objects, mishap: mishaps.shift(), accessKey });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ endpoint: `http://127.0.0.1:${port}`, objects, mishaps, requests },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answering {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly mishap: Mishap | undefined;
  readonly accessKey: string;
}

function answer(request: IncomingMessage, response: ServerResponse, given: Answering): void {
  const { objects, mishap, accessKey } = given;
  const url = new URL(request.url!, 'http://s3');
  const [bucket = '', ...rest] = decodeURIComponent(url.pathname).slice(1).split('/');
  const body = objects.get([bucket, ...rest].join('/'));
  const isList = url.searchParams.has('list-type');
  const wanted = request.headers['if-match'];
  if (mishap === 'broken connection') request.socket.destroy();
  else if (mishap === 'overloaded') fail(response, 503, 'SlowDown');
  else if (!request.headers.authorization?.includes(`Credential=${accessKey}/`)) {
    fail(response, 403, 'InvalidAccessKeyId');
  } else if (![...objects.keys()].some((key) => key.startsWith(`${bucket}/`))) {
    fail(response, 404, 'NoSuchBucket');
  } else if (isList) {
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(listing(objects, bucket, url.searchParams));
  } else if (body === undefined) fail(response, 404, 'NoSuchKey');
  else if (wanted !== undefined && wanted !== etagOf(body)) {
    fail(response, 412, 'PreconditionFailed');
  } else sendPart(request, response, body, mishap === 'broken body');
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

function sendPart(
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  breaks: boolean,
): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const part = body.subarray(Number(from ?? 0), Number(to ?? body.length) + 1);
  response.writeHead(206, { 'content-length': part.length, etag: etagOf(body) });
  if (!breaks) response.end(part);
  else response.write(part.subarray(0, part.length >> 1), () => request.socket.destroy());
}

const etagOf = (body: Uint8Array) => `"${createHash('md5').update(body).digest('hex')}"`;

function listing(
  objects: ReadonlyMap<string, Uint8Array>,
  bucket: string,
  query: URLSearchParams,
): string {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? '';
  const keys = [...objects.keys()]
    .filter((path) => path.startsWith(`${bucket}/${prefix}`))
    .map((path) => path.slice(bucket.length + 1))
    .filter((key) => key > after)
    .sort();
  const page = keys.slice(0, PAGE);
  const contents = page.map((key) => {
    const body = objects.get(`${bucket}/${key}`)!;
    const etag = etagOf(body).replaceAll('"', '&quot;');
    return `<Contents><Key>${key}</Key><Size>${body.length}</Size><ETag>${etag}</ETag></Contents>`;
  });
  const more = keys.length > PAGE;
  const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
  const parts = [`<IsTruncated>${more}</IsTruncated>`, next, ...contents].join('');
  return `<ListBucketResult>${parts}</ListBucketResult>`;
}
