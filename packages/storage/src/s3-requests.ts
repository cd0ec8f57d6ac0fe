import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { attempted, type Patience } from './attempts.ts';
import { explained, s3ErrorName } from './s3-failures.ts';

/** An object's metadata in which its SHA-256 stands, in hex. */
const DIGEST = 'starling-sha256';

export interface ObjectHead {
  readonly bytes: number;
  readonly etag: string | undefined;
  /** As noted by who wrote it; what other programs wrote has none. */
  readonly sha256: string | undefined;
}

export interface StoredPart {
  readonly number: number;
  readonly bytes: number;
  readonly etag: string;
}

export interface Numbered {
  readonly number: number;
  readonly etag: string;
}

interface Marker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

interface RequestParts {
  readonly client: S3Client;
  readonly bucket: string;
  /** Names what it is for in errors. */
  readonly purpose: string;
  readonly patience: Patience | undefined;
}

const LATER = 'Look at AWS_ENDPOINT_URL and at the network, and try again';

/** Requests to one bucket, each tried again where that may help. */
export class S3Requests {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  url(key: string): string {
    return `s3://${this.#parts.bucket}/${key}`;
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    const found = await this.#send(key, (at) =>
      missingAsUndefined(this.#parts.client.send(new HeadObjectCommand(at))),
    );
    if (found === undefined) return undefined;
    const { ContentLength: bytes = 0, ETag: etag, Metadata: noted } = found;
    return { bytes, etag, sha256: noted?.[DIGEST] };
  }

  /** Bytes of the very object of `etag`. */
  range(key: string, from: number, to: number, etag: string | undefined): Promise<Uint8Array> {
    return this.#send(key, async (at) => {
      const answer = await this.#parts.client.send(
        new GetObjectCommand({
          ...{ ...at, Range: `bytes=${from}-${to - 1}` },
          ...(etag !== undefined && { IfMatch: etag }),
        }),
      );
      const bytes = await answer.Body?.transformToByteArray();
      if (bytes?.length === to - from) return bytes;
      throw new Error(`${bytes?.length ?? 0} bytes came of ${to - from}`);
    });
  }

  /** @param md5 in base64; the store refuses bytes that do not have it */
  async put(key: string, body: Uint8Array, md5: string, sha256: string): Promise<void> {
    const object = { Body: body, ContentMD5: md5, Metadata: { [DIGEST]: sha256 } };
    await this.#send(key, (at) =>
      this.#parts.client.send(new PutObjectCommand({ ...at, ...object })),
    );
  }

  /** Notes another SHA-256 with an object that is there. */
  async note(key: string, sha256: string): Promise<void> {
    const source = `${this.#parts.bucket}/${key}`.split('/').map(encodeURIComponent).join('/');
    const copy = { CopySource: source, MetadataDirective: 'REPLACE' } as const;
    const noted = { Metadata: { [DIGEST]: sha256 } };
    await this.#send(key, (at) =>
      this.#parts.client.send(new CopyObjectCommand({ ...at, ...copy, ...noted })),
    );
  }

  async delete(key: string): Promise<void> {
    await this.#send(key, (at) =>
      missingAsUndefined(this.#parts.client.send(new DeleteObjectCommand(at))),
    );
  }

  /** Keys of the objects right below a prefix that ends with a slash, or is empty. */
  async keys(prefix: string): Promise<readonly string[]> {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#send(prefix, ({ Bucket }) =>
        this.#parts.client.send(
          new ListObjectsV2Command({
            ...{ Bucket, Prefix: prefix, Delimiter: '/', ContinuationToken: token },
          }),
        ),
      );
      found.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return found;
  }

  /** Uploads of this very key that have begun and not ended. */
  async uploads(key: string): Promise<readonly string[]> {
    const found: string[] = [];
    let after: Marker | undefined = {};
    while (after !== undefined) {
      const page = await this.#uploadsPage(key, after);
      const own = (page.Uploads ?? []).filter((upload) => upload.Key === key);
      found.push(...own.flatMap(({ UploadId }) => UploadId ?? []));
      const { NextKeyMarker: KeyMarker = '', NextUploadIdMarker: UploadIdMarker = '' } = page;
      after = page.IsTruncated ? { KeyMarker, UploadIdMarker } : undefined;
    }
    return found;
  }

  #uploadsPage(key: string, after: Marker): Promise<ListMultipartUploadsCommandOutput> {
    const { client } = this.#parts;
    return this.#send(key, ({ Bucket }) =>
      client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: key, ...after })),
    );
  }

  /** None where the upload has ended meanwhile. */
  async parts(key: string, upload: string): Promise<readonly StoredPart[]> {
    const found: StoredPart[] = [];
    let after: string | undefined;
    do {
      const page = await this.#send(key, (at) =>
        missingAsUndefined(
          this.#parts.client.send(
            new ListPartsCommand({ ...at, UploadId: upload, PartNumberMarker: after }),
          ),
        ),
      );
      for (const { PartNumber: number, Size: bytes, ETag: etag } of page?.Parts ?? []) {
        if (number !== undefined && bytes !== undefined && etag !== undefined) {
          found.push({ number, bytes, etag });
        }
      }
      after = page?.IsTruncated ? page.NextPartNumberMarker : undefined;
    } while (after !== undefined);
    return found;
  }

  async begin(key: string, sha256: string): Promise<string> {
    const { UploadId: upload } = await this.#send(key, (at) =>
      this.#parts.client.send(
        new CreateMultipartUploadCommand({ ...at, Metadata: { [DIGEST]: sha256 } }),
      ),
    );
    if (upload !== undefined) return upload;
    throw this.#explained(key)(new Error('the store gave the upload no id'), 1);
  }

  /** The part's ETag. */
  async putPart(
    key: string,
    upload: string,
    {
      number,
      body,
      md5,
    }: { readonly number: number; readonly body: Uint8Array; readonly md5: string },
  ): Promise<string> {
    const part = { UploadId: upload, PartNumber: number, Body: body, ContentMD5: md5 };
    const { ETag: etag } = await this.#send(key, (at) =>
      this.#parts.client.send(new UploadPartCommand({ ...at, ...part })),
    );
    return etag ?? '';
  }

  async complete(key: string, upload: string, parts: readonly Numbered[]): Promise<void> {
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
    await this.#send(key, (at) =>
      this.#parts.client.send(
        new CompleteMultipartUploadCommand({
          ...{ ...at, UploadId: upload, MultipartUpload: { Parts } },
        }),
      ),
    );
  }

  async abort(key: string, upload: string): Promise<void> {
    await this.#send(key, (at) =>
      missingAsUndefined(
        this.#parts.client.send(new AbortMultipartUploadCommand({ ...at, UploadId: upload })),
      ),
    );
  }

  #explained(key: string) {
    return explained(this.#parts.purpose, this.url(key), LATER);
  }

  #send<T>(
    key: string,
    request: (at: { readonly Bucket: string; readonly Key: string }) => Promise<T>,
  ): Promise<T> {
    const { bucket, patience } = this.#parts;
    const explain = (error: unknown, tried: number) =>
      isOvertaken(error) ? new Overtaken() : this.#explained(key)(error, tried);
    return attempted(() => request({ Bucket: bucket, Key: key }), explain, patience);
  }
}

/** Somebody else ended the upload, or put other parts into it. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

const isOvertaken = (error: unknown): boolean =>
  ['NoSuchUpload', 'InvalidPart'].includes(error instanceof Error ? error.name : '');

const MISSING = ['NoSuchKey', 'NoSuchUpload', 'NotFound'];

async function missingAsUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (MISSING.includes(name) || s3ErrorName(error) === 'NoSuchKey') return undefined;
    throw error;
  }
}
