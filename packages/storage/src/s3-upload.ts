import { createHash } from 'node:crypto';
import { ConfigError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { type Numbered, Overtaken, type S3Requests } from './s3-requests.ts';
import type { PutOptions, PutOutcome } from './target.ts';

/** What is no larger goes in one request. The protocol's least size of a part is 5 MiB. */
export const PART_BYTES = 8 * 2 ** 20;
/** The protocol's own limit. */
const PARTS_MAX = 10_000;
/** Parts on their way at once. */
const LANES = 3;
/** How often others may get in our way before we give up. */
const STARTS_MAX = 4;

interface Part {
  readonly number: number;
  readonly body: Uint8Array;
  /** In hex, which is what most stores give a part as its ETag. */
  readonly md5: string;
}

interface Upload {
  readonly requests: S3Requests;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly options: PutOptions;
}

/**
 * Writes an object with its SHA-256 in its metadata; one that is there with the same SHA-256 is not
 * sent again. A large one goes in parts, and an upload that broke off goes on: of its parts those
 * are kept whose size and MD5 fit, whoever sent them.
 * @throws ConfigError
 */
export async function putObject(
  requests: S3Requests,
  key: string,
  bytes: Uint8Array,
  options: PutOptions = {},
): Promise<PutOutcome> {
  const sha256 = hashHex(bytes);
  const upload = { requests, key, bytes, sha256, options };
  for (let start = 1; start <= STARTS_MAX; start++) {
    if (await isThere(upload)) return start === 1 ? 'unchanged' : 'written';
    try {
      if (bytes.length <= PART_BYTES) await requests.put(key, bytes, md5(bytes, 'base64'), sha256);
      else await putInParts(upload);
      if (await isSealed(upload)) return 'written';
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
    }
  }
  const hint = 'Does another program write to it? Stop one of the two';
  throw new ConfigError('upload', `${requests.url(key)}: it does not stay as written`, hint);
}

/** Whether an object has the size and the noted SHA-256 of these bytes. */
export const holdsObject = (requests: S3Requests, key: string, bytes: Uint8Array) =>
  isThere({ requests, key, bytes, sha256: hashHex(bytes) });

const md5 = (bytes: Uint8Array, form: 'hex' | 'base64'): string =>
  createHash('md5').update(bytes).digest(form);

async function isThere({
  requests,
  key,
  bytes,
  sha256,
}: Omit<Upload, 'options'>): Promise<boolean> {
  const head = await requests.head(key);
  return head?.bytes === bytes.length && head.sha256 === sha256;
}

/** Whether the store holds the object now; the note of its SHA-256 is put right first. */
async function isSealed(upload: Upload): Promise<boolean> {
  const { requests, key, bytes, sha256 } = upload;
  const head = await requests.head(key);
  if (head?.bytes !== bytes.length) return false;
  if (head.sha256 === sha256) return true;
  // An upload that was begun for other bytes, all of whose parts fit these.
  if (bytes.length <= PART_BYTES || head.etag !== etagOfParts(partsOf(bytes))) return false;
  await requests.note(key, sha256);
  return isThere(upload);
}

function partsOf(bytes: Uint8Array): readonly Part[] {
  const size = Math.max(PART_BYTES, Math.ceil(bytes.length / PARTS_MAX));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => {
    const body = bytes.subarray(i * size, (i + 1) * size);
    return { number: i + 1, body, md5: md5(body, 'hex') };
  });
}

/** As S3 and most other stores compute it. */
function etagOfParts(parts: readonly Part[]): string {
  const digests = Buffer.from(parts.map((part) => part.md5).join(''), 'hex');
  return `"${md5(digests, 'hex')}-${parts.length}"`;
}

async function putInParts(upload: Upload): Promise<void> {
  const { requests, key, bytes, sha256, options } = upload;
  const parts = partsOf(bytes);
  const begun = await begunUpload(upload, parts);
  const id = begun?.id ?? (await requests.begin(key, sha256));
  const etags = new Map(begun?.kept);
  const sizeOf = ({ body }: Part) => body.length;
  let done = sum(parts.filter(({ number }) => etags.has(number)).map(sizeOf));
  const missing = parts.filter(({ number }) => !etags.has(number));
  options.onProgress?.(done, bytes.length);
  await inLanes(missing, async ({ number, body, md5: digest }) => {
    const coded = Buffer.from(digest, 'hex').toString('base64');
    etags.set(number, await requests.putPart(key, id, { number, body, md5: coded }));
    done += body.length;
    options.onProgress?.(done, bytes.length);
  });
  const listed: Numbered[] = parts.map(({ number }) => ({ number, etag: etags.get(number)! }));
  await requests.complete(key, id, listed);
  // Whatever else was begun for this name would stay, and cost, for ever.
  for (const other of await requests.uploads(key)) await requests.abort(key, other);
}

interface Begun {
  readonly id: string;
  /** ETags of the parts that fit, by their numbers. */
  readonly kept: ReadonlyMap<number, string>;
}

/** Of the uploads that were begun the one with the most parts of these bytes. */
async function begunUpload(
  { requests, key }: Upload,
  parts: readonly Part[],
): Promise<Begun | undefined> {
  let best: Begun | undefined;
  for (const id of await requests.uploads(key)) {
    const kept = new Map<number, string>();
    for (const { number, bytes, etag } of await requests.parts(key, id)) {
      const part = parts[number - 1];
      const isSame = part?.body.length === bytes && etag.replaceAll('"', '') === part.md5;
      if (isSame) kept.set(number, etag);
    }
    if (kept.size > (best?.kept.size ?? 0)) best = { id, kept };
  }
  return best;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

/** A few at a time; after a failure none begins. */
async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    try {
      while (next < items.length) await work(items[next++]!);
    } finally {
      // Reached early only by a failure: the others then end after what they are at.
      next = items.length;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason;
}
