import { createHash } from 'node:crypto';

export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: Uint8Array;
}

/** What the store refuses; the message is its code. */
export class S3Fault extends Error {
  readonly status: number;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
  }
}

interface Upload {
  readonly path: string;
  readonly notes: Readonly<Record<string, string>>;
  readonly parts: Map<number, Uint8Array>;
}

const PAGE = 3;
const PART_BYTES_MIN = 5 * 2 ** 20;
const NOTE = 'x-amz-meta-';

const md5 = (body: Uint8Array) => createHash('md5').update(body);
const etagOf = (body: Uint8Array): string => `"${md5(body).digest('hex')}"`;

/** The objects of a store and the uploads to it, and what it answers to requests. */
export class S3Buckets {
  /** By bucket/key. */
  readonly objects = new Map<string, Uint8Array>();
  readonly uploads = new Map<string, Upload>();
  /** Beside those that have an object. */
  readonly names = new Set<string>();
  readonly #etags = new Map<string, string>();
  readonly #notes = new Map<string, Readonly<Record<string, string>>>();
  #count = 0;

  answer(request: S3Request): S3Answer {
    const { method, bucket, key, query, headers } = request;
    const isThere = [...this.objects.keys()].some((path) => path.startsWith(`${bucket}/`));
    if (!isThere && !this.names.has(bucket)) throw new S3Fault(404, 'NoSuchBucket');
    const path = `${bucket}/${key}`;
    if (query.has('list-type')) return xml(this.#list(bucket, query));
    if (key === '') return xml(this.#listUploads(bucket, query));
    if (query.has('uploadId')) return this.#answerPart(request, query.get('uploadId')!);
    if (query.has('uploads')) return xml(this.#begin(path, headers));
    if (method === 'PUT' && headers['x-amz-copy-source'] !== undefined) {
      this.#notes.set(path, notesOf(headers));
      return xml('<CopyObjectResult></CopyObjectResult>');
    }
    if (method === 'PUT') return this.#put(path, request);
    if (method === 'DELETE') {
      this.objects.delete(path);
      return { status: 204 };
    }
    return this.#get(path, headers);
  }

  #get(path: string, headers: S3Request['headers']): S3Answer {
    const body = this.objects.get(path);
    if (body === undefined) throw new S3Fault(404, 'NoSuchKey');
    // Tests put objects there themselves.
    const etag = this.#etags.get(path) ?? etagOf(body);
    const wanted = headers['if-match'];
    if (wanted !== undefined && wanted !== etag) throw new S3Fault(412, 'PreconditionFailed');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '') ?? [];
    const content = body.subarray(Number(from ?? 0), Number(to ?? body.length) + 1);
    const status = from === undefined ? 200 : 206;
    return { status, content, headers: { etag, ...this.#notes.get(path) } };
  }

  #put(path: string, { headers, body }: S3Request): S3Answer {
    checkDigest(headers, body);
    this.objects.set(path, body);
    this.#notes.set(path, notesOf(headers));
    this.#etags.delete(path);
    return { status: 200, headers: { etag: etagOf(body) } };
  }

  #begin(path: string, headers: S3Request['headers']): string {
    const id = `upload-${++this.#count}`;
    this.uploads.set(id, { path, notes: notesOf(headers), parts: new Map() });
    const answer = `<UploadId>${id}</UploadId>`;
    return `<InitiateMultipartUploadResult>${answer}</InitiateMultipartUploadResult>`;
  }

  #answerPart(request: S3Request, id: string): S3Answer {
    const { method, query, headers, body } = request;
    const upload = this.uploads.get(id);
    if (upload === undefined) throw new S3Fault(404, 'NoSuchUpload');
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return { status: 204 };
    }
    if (method === 'GET') return xml(listParts(upload, query));
    if (method === 'POST') return xml(this.#complete(id, upload, Buffer.from(body).toString()));
    checkDigest(headers, body);
    upload.parts.set(Number(query.get('partNumber')), body);
    return { status: 200, headers: { etag: etagOf(body) } };
  }

  #complete(id: string, { path, notes, parts }: Upload, wanted: string): string {
    const pieces = [...wanted.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, text = '']) => {
      const number = Number(/<PartNumber>(\d+)</.exec(text)?.[1]);
      const etag = /<ETag>(.*?)</.exec(text)?.[1]?.replaceAll('&quot;', '"');
      const part = parts.get(number);
      if (part === undefined || etagOf(part) !== etag) throw new S3Fault(400, 'InvalidPart');
      return part;
    });
    const isSmall = (piece: Uint8Array) => piece.length < PART_BYTES_MIN;
    if (pieces.slice(0, -1).some(isSmall)) throw new S3Fault(400, 'EntityTooSmall');
    const digests = pieces.map((piece) => md5(piece).digest());
    this.objects.set(path, Buffer.concat(pieces));
    this.#notes.set(path, notes);
    const hex = md5(Buffer.concat(digests)).digest('hex');
    this.#etags.set(path, `"${hex}-${pieces.length}"`);
    this.uploads.delete(id);
    return '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>';
  }

  #listUploads(bucket: string, query: URLSearchParams): string {
    const from = `${bucket}/${query.get('prefix') ?? ''}`;
    const after = query.get('upload-id-marker') ?? '';
    const number = (id: string) => Number(id.slice('upload-'.length));
    const found = [...this.uploads]
      .filter(([id, { path }]) => path.startsWith(from) && number(id) > number(after || 'upload-0'))
      .map(([id, { path }]) => ({ id, key: path.slice(bucket.length + 1) }));
    const page = found.slice(0, PAGE);
    const last = page.at(-1);
    const next =
      found.length > PAGE && last !== undefined
        ? `<NextKeyMarker>${last.key}</NextKeyMarker>` +
          `<NextUploadIdMarker>${last.id}</NextUploadIdMarker>`
        : '';
    const uploads = page.map(
      ({ id, key }) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`,
    );
    return listed('ListMultipartUploadsResult', uploads, next);
  }

  #list(bucket: string, query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const isDeep = (key: string) =>
      query.get('delimiter') === '/' && key.slice(prefix.length).includes('/');
    const keys = [...this.objects.keys()]
      .filter((path) => path.startsWith(`${bucket}/${prefix}`))
      .map((path) => path.slice(bucket.length + 1))
      .filter((key) => key > after && !isDeep(key))
      .sort();
    const page = keys.slice(0, PAGE);
    const contents = page.map((key) => {
      const body = this.objects.get(`${bucket}/${key}`)!;
      return `<Contents><Key>${key}</Key>${sizeAndTag(body)}</Contents>`;
    });
    const more = keys.length > PAGE;
    const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    return listed('ListBucketResult', contents, next);
  }
}

function listParts({ parts }: Upload, query: URLSearchParams): string {
  const after = Number(query.get('part-number-marker') ?? 0);
  const found = [...parts].filter(([number]) => number > after).sort(([a], [b]) => a - b);
  const page = found.slice(0, PAGE);
  const texts = page.map(
    ([number, body]) => `<Part><PartNumber>${number}</PartNumber>${sizeAndTag(body)}</Part>`,
  );
  const last = page.at(-1)?.[0];
  const more = found.length > PAGE;
  const next = more ? `<NextPartNumberMarker>${last}</NextPartNumberMarker>` : '';
  return listed('ListPartsResult', texts, next);
}

const sizeAndTag = (body: Uint8Array): string =>
  `<Size>${body.length}</Size><ETag>${etagOf(body).replaceAll('"', '&quot;')}</ETag>`;

const listed = (name: string, entries: readonly string[], next: string): string =>
  `<${name}><IsTruncated>${next !== ''}</IsTruncated>${next}${entries.join('')}</${name}>`;

const xml = (text: string): S3Answer => ({
  ...{ status: 200, content: Buffer.from(text) },
  headers: { 'content-type': 'application/xml' },
});

function checkDigest(headers: S3Request['headers'], body: Uint8Array): void {
  const wanted = headers['content-md5'];
  if (wanted === undefined || wanted === md5(body).digest('base64')) return;
  throw new S3Fault(400, 'BadDigest');
}

const notesOf = (headers: S3Request['headers']): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith(NOTE) && value !== undefined ? [[name, value]] : [],
    ),
  );
