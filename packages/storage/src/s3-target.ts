import type { S3Client } from '@aws-sdk/client-s3';
import { ConfigError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { Patience } from './attempts.ts';
import { nameIn, placeOf } from './place.ts';
import { createS3Client } from './s3-client.ts';
import { S3Requests } from './s3-requests.ts';
import { holdsObject, putObject } from './s3-upload.ts';
import type { PutOptions, PutOutcome, Target } from './target.ts';

/** A part over a slow line. */
const REQUEST_MS = 600_000;
/** Pauses of 11 to 23 s in all: longer than a hiccup of the network, shorter than anyone waits. */
const PATIENCE: Patience = { attempts: 8, pauseMs: 200, pauseMsMax: 10_000 };
/** What one request fetches. */
const RANGE_BYTES = 16 * 2 ** 20;

/** Objects below a prefix of an S3-compatible store. */
export class S3Target implements Target {
  readonly name: string;
  readonly #client: S3Client;
  readonly #requests: S3Requests;
  readonly #prefix: string;
  readonly #key: string;

  private constructor(key: string, url: string, patience: Patience) {
    const { bucket, prefix } = placeOf(key, url);
    this.name = url;
    this.#key = key;
    this.#prefix = prefix;
    this.#client = createS3Client(REQUEST_MS);
    this.#requests = new S3Requests({ client: this.#client, bucket, purpose: key, patience });
  }

  /** @throws ConfigError for what is no `s3://bucket/prefix` */
  static open(key: string, url: string, patience: Patience = PATIENCE): S3Target {
    return new S3Target(key, url, patience);
  }

  async put(name: string, bytes: Uint8Array, options?: PutOptions): Promise<PutOutcome> {
    return putObject(this.#requests, this.#at(name), bytes, options);
  }

  async holds(name: string, bytes: Uint8Array): Promise<boolean> {
    return holdsObject(this.#requests, this.#at(name), bytes);
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const key = this.#at(name);
    const head = await this.#requests.head(key);
    if (head === undefined) return undefined;
    const bytes = new Uint8Array(head.bytes);
    for (let from = 0; from < head.bytes; from += RANGE_BYTES) {
      const to = Math.min(from + RANGE_BYTES, head.bytes);
      bytes.set(await this.#requests.range(key, from, to, head.etag), from);
    }
    if (head.sha256 === undefined || head.sha256 === hashHex(bytes)) return bytes;
    const what = `${this.#requests.url(key)}: its bytes do not have the SHA-256 noted with it`;
    throw new ConfigError(this.#key, what, 'It is damaged: write it again');
  }

  async has(name: string): Promise<boolean> {
    return (await this.#requests.head(this.#at(name))) !== undefined;
  }

  async list(folder: string): Promise<readonly string[]> {
    const prefix = `${this.#at(folder)}/`;
    const keys = await this.#requests.keys(prefix);
    const names = keys.map((key) => key.slice(prefix.length));
    return names.filter((name) => name !== '' && !name.startsWith('.')).sort();
  }

  async delete(name: string): Promise<void> {
    const key = this.#at(name);
    await this.#requests.delete(key);
    for (const upload of await this.#requests.uploads(key)) await this.#requests.abort(key, upload);
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #at(name: string): string {
    const checked = nameIn(this.#key, name);
    return this.#prefix === '' ? checked : `${this.#prefix}/${checked}`;
  }
}
