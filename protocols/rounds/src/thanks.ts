import {
  bytes,
  type Codec,
  concatBytes,
  type Decoded,
  DecodeError,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  list,
  mapped,
  type PeerId,
  struct,
  u32,
  utf8,
} from '@starling/core';
import {
  hashCodec,
  hashHex,
  peerCodec,
  publicKeyOf,
  type SigningKey,
  signatureCodec,
  verify,
} from '@starling/crypto';
import { type CertificateHash, type Statement, statementHash } from './certificate.ts';
import { ROUNDS_LABEL } from './version.ts';

/** Peers that one message thanks: those that served the most. */
export const THANKED_MAX = 64;
/** Survivors of one round that thank; of a larger roster those that its certificate draws. */
export const THANKERS_MAX = 64;
export const THANKS_BYTES_MAX = 4 * 1024;

const serviceCodec = struct({
  peer: peerCodec,
  /** Bytes of sums, of chunks that it owns. */
  sums: u32(),
  /** Bytes of models and states. */
  blobs: u32(),
  /** Bytes of either that came through it, as a relay. */
  relayed: u32(),
});
/** What one peer was served by another since its last thanks. */
export type Service = Decoded<typeof serviceCodec>;

const bareCodec = struct({
  certificate: hashCodec<CertificateHash>(),
  services: list(serviceCodec, THANKED_MAX),
});
export type ThanksBody = Decoded<typeof bareCodec>;

export const thanksBodyCodec: Codec<ThanksBody> = mapped<ThanksBody, ThanksBody>(
  bareCodec,
  (body, field) => {
    const peers = new Set(body.services.map(({ peer }) => peer));
    if (peers.size !== body.services.length) throw new DecodeError(field, 'a peer is there twice');
    const isIdle = ({ sums, blobs, relayed }: Service) => sums + blobs + relayed === 0;
    if (body.services.some(isIdle)) throw new DecodeError(field, 'thanks for nothing');
    return body;
  },
  (body) => body,
);

export const signedThanksCodec = struct({
  body: bytes(1, THANKS_BYTES_MAX - 128),
  signer: peerCodec,
  signature: signatureCodec,
});

/** A peer's receipt for what others served it in a round: read, and its signature holds. */
export interface Thanks extends ThanksBody {
  readonly signer: PeerId;
  /** The signed bytes, to pass on. */
  readonly bytes: Uint8Array;
  readonly hash: string;
}

const signedBytes = (body: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${ROUNDS_LABEL}/thanks`), body);

export function signThanks(body: ThanksBody, key: SigningKey): Thanks {
  const encoded = encodeCanonical(thanksBodyCodec, body);
  const signed = encodeCanonical(signedThanksCodec, {
    body: encoded,
    signer: key.peerId,
    signature: key.sign(signedBytes(encoded)),
  });
  return { ...body, signer: key.peerId, bytes: signed, hash: hashHex(signed) };
}

/**
 * @throws DecodeError on malformed bytes; undefined when the signature is wrong, or the signer
 *   thanks itself
 */
export function readThanks(signed: Uint8Array): Thanks | undefined {
  const outer = decodeCanonical(signedThanksCodec, signed, THANKS_BYTES_MAX);
  const body = decodeCanonical(thanksBodyCodec, outer.body, THANKS_BYTES_MAX);
  const { signer } = outer;
  if (body.services.some(({ peer }) => peer === signer)) return undefined;
  if (!verify(signer, signedBytes(outer.body), outer.signature)) return undefined;
  return { ...body, signer, bytes: signed, hash: hashHex(signed) };
}

/** Who may thank for a round: its survivors, or as many of them as its certificate draws. */
export function thankersOf(
  statement: Statement,
  survivors: readonly PeerId[],
): ReadonlySet<PeerId> {
  if (survivors.length <= THANKERS_MAX) return new Set(survivors);
  const certificate = fromHex(statementHash(statement));
  const drawn = survivors
    .map((peer) => ({ peer, place: hashHex(certificate, publicKeyOf(peer)) }))
    .toSorted((a, b) => (a.place < b.place ? -1 : 1));
  return new Set(drawn.slice(0, THANKERS_MAX).map(({ peer }) => peer));
}
