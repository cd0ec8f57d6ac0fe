import {
  GetObjectCommand,
  ListObjectsV2Command,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { errorMessage, ProtocolError } from '@starling/core';
import { attempted, createS3Client, isNoCredentials, S3_REMEDIES } from '@starling/storage/s3';
import { byPath, type FileStore, type RangeFile, type StoredFile } from './file-store.ts';
import { corrupt } from './source.ts';

/** A small reading fetches so much: most are followed by their neighbours. */
const AHEAD_BYTES = 4 * 2 ** 20;

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
  const client = createS3Client();
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

/** All objects of the place with paths below it, sorted; the place itself where it is an object. */
async function listStored(
  client: S3Client,
  { bucket, prefix }: Place,
  root: string,
): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  let token: string | undefined;
  do {
    const page = await attempted(
      () =>
        client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
        ),
      failure(root),
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
    attempted(async () => {
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
    }, failure(name));
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

const REMEDIES: Readonly<Record<string, string>> = {
  ...S3_REMEDIES,
  NoSuchKey: 'It was there when the data set was listed; add the data set again',
  AccessDenied: 'Ask for the permissions s3:ListBucket and s3:GetObject',
};

const failure =
  (where: string) =>
  (error: unknown, tried: number): ProtocolError => {
    if (error instanceof ProtocolError) return error;
    const { name } = error instanceof Error ? error : { name: '' };
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === 412 || name === 'PreconditionFailed') {
      return corrupt(where, 'the object has changed', 'Add the data set again');
    }
    if (isNoCredentials(error)) {
      const hint = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials';
      return new ProtocolError('dataset-missing', `${where}: no credentials. ${hint}`);
    }
    const remedy =
      REMEDIES[name] ?? 'Look at AWS_ENDPOINT_URL and at the network, and try again later';
    const times = tried === 1 ? '' : ` (${tried} attempts)`;
    const what = `${name}: ${errorMessage(error)}`.replace(/^Error: /, '');
    return new ProtocolError('dataset-missing', `${where}: ${what}${times}. ${remedy}`);
  };
