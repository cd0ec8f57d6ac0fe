import {
  type BlobHash,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  type Parcel,
  type PeerId,
  ProtocolError,
  type Transport,
} from '@starling/core';
import { hashHex } from '@starling/crypto';
import {
  BLOB_HEADER_BYTES_MAX,
  BLOBS_PROTOCOL,
  type BlobRequest,
  blobRequest,
  blobResponse,
  LEAF_BYTES,
  PIECE_BYTES,
  PIECES_MAX,
} from '@starling/protocol-blobs';
import type { BlobOptions } from './exchange.ts';
import { type ClaimedTree, claimOf } from './tree.ts';

const NO_BODY = new Uint8Array(0);
/** The largest answer to a question for a blob: it whole, or its leaves. */
const ANSWER_BYTES_MAX = Math.max(PIECE_BYTES, PIECES_MAX * LEAF_BYTES);

export interface Asked {
  readonly transport: Transport;
  readonly hash: BlobHash;
  readonly options: BlobOptions;
}

/** What a peer has of the blob: it whole, checked, or its tree. @throws ProtocolError */
export async function askBlob(
  asked: Asked,
  peer: PeerId,
): Promise<{ readonly whole: Uint8Array } | { readonly tree: ClaimedTree }> {
  const { hash, options } = asked;
  const most = options.bodyBytesMax ?? Number.POSITIVE_INFINITY;
  const { header, body } = await ask(asked, peer, { kind: 'blob', hash: fromHex(hash) });
  const response = decodeCanonical(blobResponse, header, BLOB_HEADER_BYTES_MAX);
  if (response.kind === 'whole') {
    if (body.length > most) throw new ProtocolError('too-large', `sent ${body.length} bytes`);
    if (body.length !== response.size || hashHex(body) !== hash) throw corrupt();
    options.onReceived?.(peer, body.length);
    return { whole: body };
  }
  if (response.kind !== 'tree') throw missing();
  if (response.size > most) throw new ProtocolError('too-large', `has ${response.size} bytes`);
  return { tree: claimOf(response, body) };
}

/** What a peer gives for a piece, unchecked but for its length. @throws ProtocolError */
export async function askPiece(
  asked: Asked,
  peer: PeerId,
  index: number,
  length: number,
): Promise<Uint8Array> {
  const request: BlobRequest = { kind: 'piece', hash: fromHex(asked.hash), index };
  const { header, body } = await ask(asked, peer, request);
  const response = decodeCanonical(blobResponse, header, BLOB_HEADER_BYTES_MAX);
  if (response.kind !== 'piece') throw missing();
  if (body.length !== length) throw corrupt();
  return body;
}

function ask(
  { transport, options: { timeoutMs } }: Asked,
  peer: PeerId,
  request: BlobRequest,
): Promise<Parcel> {
  const parcel = { header: encodeCanonical(blobRequest, request), body: NO_BODY };
  const options = { timeoutMs, bodyBytesMax: ANSWER_BYTES_MAX };
  return transport.request(peer, BLOBS_PROTOCOL, parcel, options);
}

export const corrupt = (): ProtocolError => new ProtocolError('corrupt', 'sent other bytes');
const missing = (): ProtocolError => new ProtocolError('missing', 'does not hold it');
