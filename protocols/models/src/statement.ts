import {
  bytes,
  type Codec,
  compareBytes,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  list,
  nullable,
  oneOf,
  type PeerId,
  struct,
  u32,
  union,
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
import { checked, linesText, lineText, metricCodec } from './common.ts';
import { MODELS_LIMITS as M } from './limits.ts';
import { moneyFields } from './payment.ts';
import { MODELS_LABEL } from './version.ts';

/**
 * What somebody vouches for: that it has the model, that the whole chain holds by its own check, or
 * a number that it measured. `withdrawn` takes back what it said before.
 */
export const VOUCH_NAMES = ['withdrawn', 'held', 'verified', 'evaluated'] as const;
export type VouchName = (typeof VOUCH_NAMES)[number];

const note = linesText(M.noteCharsMax);
const vouch = checked(
  struct({ what: oneOf(VOUCH_NAMES), metric: nullable(metricCodec), note }),
  ({ what, metric }) =>
    (what === 'evaluated') === (metric !== null)
      ? undefined
      : 'a metric belongs to an evaluation, and to nothing else',
);

/** What is said about a card; new kinds are appended. */
export const wordCodec = union({
  /** By anybody but the publisher. */
  vouch,
  /** By the publisher: use it no more. Never taken back. */
  deprecate: struct({ reason: note, successor: nullable(hashCodec<CardId>()) }),
  /** By the publisher: the terms on which others get a token. Over at `until`, or when replaced. */
  offer: struct({
    ...moneyFields,
    licence: lineText(M.licenceCharsMax),
    /** How long a token holds, in seconds. */
    seconds: u32(),
    /** Seconds since 1970; 0 for an offer that is withdrawn. */
    until: u32(),
    note,
  }),
  /** By the publisher: serials of tokens that hold no more; each has all those before. */
  revoke: struct({ tokens: list(bytes(16), M.revokedMax) }),
});
export type Word = Decoded<typeof wordCodec>;
export type WordOf<K extends Word['kind']> = Extract<Word, { kind: K }>;

const bareCodec = struct({
  card: hashCodec<CardId>(),
  /** Of its signer, about this card and of this kind: the greater replaces the smaller. */
  count: u32(),
  /** Seconds since 1970, by the signer's clock; nothing depends on it. */
  at: u32(),
  word: wordCodec,
});
export type StatementBody = Decoded<typeof bareCodec>;
export const statementBodyCodec: Codec<StatementBody> = checked(bareCodec, ({ card, word }) =>
  word.kind === 'deprecate' && word.successor === card ? 'it is its own successor' : undefined,
);

export const signedStatementCodec = struct({
  body: bytes(1, M.statementBytesMax - 256),
  signer: peerCodec,
  signature: signatureCodec,
});

/** A statement that was read, and whose signature holds. */
export interface CardStatement extends StatementBody {
  readonly signer: PeerId;
  /** The signed bytes, to pass on. */
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly hash: string;
}

const signedBytes = (body: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${MODELS_LABEL}/statement`), body);

export function signStatement(body: StatementBody, key: SigningKey): CardStatement {
  const encoded = encodeCanonical(statementBodyCodec, body);
  const signed = encodeCanonical(signedStatementCodec, {
    body: encoded,
    signer: key.peerId,
    signature: key.sign(signedBytes(encoded)),
  });
  return { ...body, signer: key.peerId, bytes: signed, hash: hashHex(signed) };
}

/** @throws DecodeError on malformed bytes; undefined when the signature is wrong */
export function readStatement(signed: Uint8Array): CardStatement | undefined {
  const outer = decodeCanonical(signedStatementCodec, signed, M.statementBytesMax);
  const body = decodeCanonical(statementBodyCodec, outer.body, M.statementBytesMax);
  if (!verify(outer.signer, signedBytes(outer.body), outer.signature)) return undefined;
  return { ...body, signer: outer.signer, bytes: signed, hash: hashHex(signed) };
}

/** Why a statement may not stand beside the card it is about, or undefined. */
export function statementFault(
  { card, signer, word }: Pick<CardStatement, 'card' | 'signer' | 'word'>,
  about: Pick<PublishedCard, 'id' | 'publisher'>,
): string | undefined {
  if (card !== about.id) return 'it is about another card';
  const byPublisher = signer === about.publisher;
  switch (word.kind) {
    case 'vouch':
      return byPublisher ? 'nobody vouches for its own card' : undefined;
    case 'deprecate':
      return byPublisher ? undefined : 'only the publisher deprecates';
    case 'offer':
    case 'revoke':
      return byPublisher ? undefined : 'only the publisher offers, and revokes';
  }
}

/** One place for each card, kind and signer. */
export const statementPlaceOf = ({ card, signer, word }: CardStatement): string =>
  `${card}/${word.kind}/${signer}`;

/** Whether `a` goes before `b` in their place: the greater count, then the greater bytes. */
export function isNewerStatement(a: CardStatement, b: CardStatement): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return compareBytes(a.bytes, b.bytes) > 0;
}
