import {
  type BlobHash,
  type BlobStore,
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  fromHex,
  type Parcel,
  type PeerId,
  ProtocolError,
  type RequestOptions,
  type Transport,
  toHex,
} from '@starling/core';
import { hashHex } from '@starling/crypto';
import {
  BLOB_HEADER_BYTES_MAX,
  BLOBS_PROTOCOL,
  blobRequest,
  blobResponse,
} from '@starling/protocol-blobs';

export interface BlobExchangeParts {
  readonly transport: Transport;
  readonly store: BlobStore;
  /** Blobs that are served though the store does not hold them, such as chunks in memory. */
  readonly extra?: (hash: BlobHash) => Uint8Array | undefined;
}

export interface BlobExchange {
  /**
   * The blob, from our store or else from the first of `from` that gives it whole; `timeoutMs` is
   * for each peer. It is not stored.
   * @throws ProtocolError 'blob-unavailable' with each peer's reason when none did
   */
  fetch(hash: BlobHash, from: readonly PeerId[], options: RequestOptions): Promise<Uint8Array>;
}

const NO_BODY = new Uint8Array(0);
/** Below this a synchronous hash is cheaper than a trip to the thread pool. */
const OFF_LOOP_FROM_BYTES = 16 * 1024 * 1024;

/** Serves our blobs to others from now on, and fetches theirs. */
export function createBlobExchange(parts: BlobExchangeParts): BlobExchange {
  const { transport } = parts;
  transport.handle(BLOBS_PROTOCOL, (parcel) => serve(parcel, parts));
  return {
    async fetch(hash, from, options) {
      const held = await heldBlob(parts, hash);
      if (held !== undefined) return held;
      const reasons: string[] = [];
      for (const peer of from) {
        try {
          return await fetchFrom(transport, peer, hash, options);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          reasons.push(`${peer}: ${errorMessage(error)}`);
        }
      }
      const tried = reasons.length === 0 ? 'no peer to ask' : reasons.join('; ');
      throw new ProtocolError('blob-unavailable', `blob ${hash}: ${tried}`);
    },
  };
}

async function heldBlob(
  { store, extra }: BlobExchangeParts,
  hash: BlobHash,
): Promise<Uint8Array | undefined> {
  return extra?.(hash) ?? (await store.get(hash));
}

async function serve({ header, body }: Parcel, parts: BlobExchangeParts): Promise<Parcel> {
  const { hash } = decodeCanonical(blobRequest, header, BLOB_HEADER_BYTES_MAX);
  if (body.length > 0) throw new ProtocolError('malformed', 'a blob request has no body');
  const blob = await heldBlob(parts, toHex(hash) as BlobHash);
  return blob === undefined
    ? { header: encodeCanonical(blobResponse, { kind: 'missing' }), body: NO_BODY }
    : { header: encodeCanonical(blobResponse, { kind: 'found', size: blob.length }), body: blob };
}

async function fetchFrom(
  transport: Transport,
  peer: PeerId,
  hash: BlobHash,
  options: RequestOptions,
): Promise<Uint8Array> {
  const header = encodeCanonical(blobRequest, { hash: fromHex(hash) });
  const answer = await transport.request(peer, BLOBS_PROTOCOL, { header, body: NO_BODY }, options);
  const response = decodeCanonical(blobResponse, answer.header, BLOB_HEADER_BYTES_MAX);
  if (response.kind === 'missing') throw new ProtocolError('missing', 'does not hold it');
  if (answer.body.length !== response.size || (await hashOf(answer.body)) !== hash) {
    throw new ProtocolError('corrupt', 'sent other bytes');
  }
  return answer.body;
}

/** Large blobs are hashed off the event loop: no turn may exceed 50 ms. */
async function hashOf(bytes: Uint8Array): Promise<string> {
  if (bytes.length < OFF_LOOP_FROM_BYTES) return hashHex(bytes);
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return toHex(new Uint8Array(digest));
}
