import { setTimeout as delay } from 'node:timers/promises';
import {
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { errorMessage, ProtocolError } from '@starling/core';
import { byPath, type FileStore, type RangeFile, type StoredFile } from './file-store.ts';
import { corrupt } from './source.ts';

const ATTEMPTS = 6;
/** Before the second attempt; doubled before each one after it. */
const BACKOFF_MS = 100;
const CONNECT_MS = 10_000;
const REQUEST_MS = 60_000;
/** A small reading fetches so much: most are followed by their neighbours. */
const AHEAD_BYTES = 4 * 2 ** 20;
/** Where no region is told; S3-compatible stores of one's own take any. */
const REGION = 'us-east-1';

/** Where objects lie: `s3://bucket/prefix`. */
interface Place {
  readonly bucket: string;
  /** Without a slash at its end; empty for all of the bucket. */
  readonly prefix: string;
}

interface Stored extends StoredFile {
  readonly key: string;
  readonly etag: string | undefined;
}

/**
 * Opens what lies below `s3://bucket/prefix`, or the one object of that name. Credentials come from
 * the environment or the usual file, the store's address from `AWS_ENDPOINT_URL`.
 * @throws ProtocolError `dataset-missing` naming cause and next step
 */
export async function openS3Store(root: string): Promise<FileStore> {
  const place = placeOf(root);
  const client = createClient();
  try {
    const stored = await listStored(client, place, root);
    const byName = new Map(stored.map((each) => [each.path, each]));
    return {
      root,
      list: async () => stored.map(({ path, bytes }) => ({ path, bytes })),
      open: async (path) => {
        const found = byName.get(path);
        if (found !== undefined) return openObject(client, place.bucket, found);
        throw new ProtocolError('dataset-missing', `${root}: holds no object ${path}`);
      },
      close: async () => client.destroy(),
    };
  } catch (error) {
    client.destroy();
    throw error;
  }
}

function placeOf(root: string): Place {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(root) ?? [];
  if (bucket === undefined) {
    throw new ProtocolError('dataset-missing', `${root}: write it as s3://bucket/prefix`);
  }
  return { bucket, prefix: prefix.replace(/\/+$/, '') };
}

function createClient(): S3Client {
  // What the next release will need is no news for whoever runs this one, whose version is fixed.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const endpoint = AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL;
  return new S3Client({
    region: AWS_REGION ?? AWS_DEFAULT_REGION ?? REGION,
    // Stores of one's own have no name of a host for each bucket.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // Checksums that are newer than Ceph's and others' idea of the protocol.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // We try again ourselves: the library does not where a body breaks off.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      throwOnRequestTimeout: true,
    },
  });
}

/** All objects of the place with paths below it, sorted; the place itself where it is an object. */
async function listStored(
  client: S3Client,
  { bucket, prefix }: Place,
  root: string,
): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  let token: string | undefined;
  do {
    const page = await attempted(root, () =>
      client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      ),
    );
    for (const { Key: key, Size: bytes, ETag: etag } of page.Contents ?? []) {
      const path = key === undefined ? undefined : pathBelow(key, prefix);
      if (key !== undefined && path !== undefined && bytes !== undefined) {
        found.push({ key, path, bytes, etag });
      }
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  if (found.length > 0) return found.sort(byPath);
  const hint = 'Look at bucket and prefix, for instance with `aws s3 ls`';
  throw new ProtocolError('dataset-missing', `${root}: holds no object. ${hint}`);
}

/** Undefined for what only begins with the same letters, for folders, and for hidden files. */
function pathBelow(key: string, prefix: string): string | undefined {
  if (key.endsWith('/')) return undefined;
  if (key === prefix) return key.slice(key.lastIndexOf('/') + 1);
  if (prefix !== '' && !key.startsWith(`${prefix}/`)) return undefined;
  const path = prefix === '' ? key : key.slice(prefix.length + 1);
  return path.split('/').some((part) => part.startsWith('.')) ? undefined : path;
}

const NOTHING = { start: 0, data: new Uint8Array() };

/** An object that is read in ranges; a few MiB around the last place stay in memory. */
function openObject(client: S3Client, bucket: string, { key, bytes, etag }: Stored): RangeFile {
  const name = `s3://${bucket}/${key}`;
  let held: { readonly start: number; readonly data: Uint8Array } = NOTHING;
  const fetch = (start: number, end: number) =>
    attempted(name, async () => {
      const answer = await client.send(
        new GetObjectCommand({
          ...{ Bucket: bucket, Key: key, Range: `bytes=${start}-${end - 1}` },
          // Another object under the same name would be other data.
          ...(etag !== undefined && { IfMatch: etag }),
        }),
      );
      const data = await answer.Body?.transformToByteArray();
      if (data?.length === end - start) return data;
      throw new Error(`${data?.length ?? 0} bytes came of ${end - start}`);
    });
  return {
    name,
    byteLength: bytes,
    read: async (start, end) => {
      if (start === end) return new Uint8Array();
      if (start < held.start || end > held.start + held.data.length) {
        const until = Math.max(end, Math.min(start + AHEAD_BYTES, bytes));
        const data = await fetch(start, until);
        // What is larger is not read twice, and would only take memory.
        if (until > end || data.length <= AHEAD_BYTES) held = { start, data };
        else return data;
      }
      return held.data.slice(start - held.start, end - held.start);
    },
    close: async () => {
      held = NOTHING;
    },
  };
}

/** Tries again, ever later, where that may help. */
async function attempted<T>(where: string, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!mayPass(error) || tried === ATTEMPTS) throw failure(where, error, tried);
      await delay(BACKOFF_MS * 2 ** (tried - 1));
    }
  }
}

/** Overload, a broken connection, an error of the store's own: not what a request did wrong. */
function mayPass(error: unknown): boolean {
  if (error instanceof ProtocolError) return false;
  if (!(error instanceof S3ServiceException)) return !/credential/i.test(errorMessage(error));
  const status = error.$metadata.httpStatusCode ?? 500;
  return status >= 500 || status === 429 || status === 408;
}

const REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Look at the name of the bucket, and at AWS_ENDPOINT_URL for a store of your own',
  NoSuchKey: 'It was there when the data set was listed; add the data set again',
  AccessDenied: 'Ask for the permissions s3:ListBucket and s3:GetObject',
  InvalidAccessKeyId: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE',
  SignatureDoesNotMatch: 'Look at AWS_SECRET_ACCESS_KEY, and at the clock of this machine',
  PermanentRedirect: 'The bucket is in another region: set AWS_REGION',
};

function failure(where: string, error: unknown, tried: number): ProtocolError {
  const { name } = error instanceof Error ? error : { name: '' };
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  if (status === 412 || name === 'PreconditionFailed') {
    return corrupt(where, 'the object has changed', 'Add the data set again');
  }
  if (/credential/i.test(errorMessage(error))) {
    const hint = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials';
    return new ProtocolError('dataset-missing', `${where}: no credentials. ${hint}`);
  }
  const remedy =
    REMEDIES[name] ?? 'Look at AWS_ENDPOINT_URL and at the network, and try again later';
  const times = tried === 1 ? '' : ` (${tried} attempts)`;
  const what = `${name}: ${errorMessage(error)}`.replace(/^Error: /, '');
  return new ProtocolError('dataset-missing', `${where}: ${what}${times}. ${remedy}`);
}
