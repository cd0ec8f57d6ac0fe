import {
  bytes,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  type PeerId,
  struct,
  toHex,
  u32,
  utf8,
} from '@starling/core';
import {
  hashCodec,
  hashHex,
  peerCodec,
  type SigningKey,
  signatureCodec,
  verify,
} from '@starling/crypto';
import type { CardId, PublishedCard } from './card.ts';
import { checked } from './common.ts';
import { MODELS_LIMITS as M } from './limits.ts';
import { OFFERS_LABEL } from './version.ts';

/** Names a token, for whoever revokes it: 16 random bytes, in hex. */
export type TokenSerial = string;

const serialBytes = 16;

export const tokenBodyCodec = checked(
  struct({
    card: hashCodec<CardId>(),
    holder: peerCodec,
    serial: bytes(serialBytes),
    /** Seconds since 1970. */
    issued: u32(),
    expires: u32(),
  }),
  ({ issued, expires }) => (expires > issued ? undefined : 'it is over before it begins'),
);
export type TokenBody = Decoded<typeof tokenBodyCodec>;

const signedTokenCodec = struct({
  body: bytes(1, M.tokenBytesMax - 128),
  issuer: peerCodec,
  signature: signatureCodec,
});

/** The right of one peer to a restricted model: read, and its signature holds. */
export interface AccessToken extends TokenBody {
  readonly issuer: PeerId;
  /** The signed bytes, to show. */
  readonly bytes: Uint8Array;
  readonly hash: string;
}

const signedBytes = (body: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${OFFERS_LABEL}/token`), body);

export const serialOf = ({ serial }: Pick<TokenBody, 'serial'>): TokenSerial => toHex(serial);

export function signToken(body: TokenBody, key: SigningKey): AccessToken {
  const encoded = encodeCanonical(tokenBodyCodec, body);
  const signed = encodeCanonical(signedTokenCodec, {
    body: encoded,
    issuer: key.peerId,
    signature: key.sign(signedBytes(encoded)),
  });
  return { ...body, issuer: key.peerId, bytes: signed, hash: hashHex(signed) };
}

/** @throws DecodeError on malformed bytes; undefined when the signature is wrong */
export function readToken(signed: Uint8Array): AccessToken | undefined {
  const outer = decodeCanonical(signedTokenCodec, signed, M.tokenBytesMax);
  const body = decodeCanonical(tokenBodyCodec, outer.body, M.tokenBytesMax);
  if (!verify(outer.issuer, signedBytes(outer.body), outer.signature)) return undefined;
  return { ...body, issuer: outer.issuer, bytes: signed, hash: hashHex(signed) };
}

export interface TokenCheck {
  readonly card: Pick<PublishedCard, 'id' | 'publisher'>;
  /** Whom the transport knows the shower of the token to be. */
  readonly shower: PeerId;
  /** Seconds since 1970. */
  readonly now: number;
  readonly isRevoked: (serial: TokenSerial) => boolean;
}

/** Clocks may be wrong by so much, as in the membership protocol. */
export const TOKEN_TOLERANCE_SECONDS = 300;

/** Why a token opens nothing here, or undefined; spec §9. */
export function tokenFault(token: AccessToken, check: TokenCheck): string | undefined {
  const { card, shower, now, isRevoked } = check;
  if (token.card !== card.id) return 'the token is for another model';
  if (token.issuer !== card.publisher) return 'the token is not signed by the publisher';
  if (token.holder !== shower) return 'the token was given to another peer';
  if (isRevoked(serialOf(token))) return 'the publisher has revoked the token';
  if (now + TOKEN_TOLERANCE_SECONDS < token.issued) return 'the token holds later: check the clock';
  if (now - TOKEN_TOLERANCE_SECONDS > token.expires) return 'the token has expired';
  return undefined;
}
