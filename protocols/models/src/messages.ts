import {
  bytes,
  compareText,
  type Decoded,
  fromHex,
  list,
  nullable,
  struct,
  u32,
  union,
} from '@starling/core';
import { hashCodec, sha256 } from '@starling/crypto';
import type { CardId } from './card.ts';
import { lineText, wordText } from './common.ts';
import { MODELS_LIMITS as M } from './limits.ts';
import type { CardStatement } from './statement.ts';

const signedCard = bytes(1, M.signedCardBytesMax);
const signedStatement = bytes(1, M.statementBytesMax);
const ids = list(hashCodec<CardId>(), M.idsMax);

/** What is looked for; what is null or empty is not asked for. */
export const queryCodec = struct({
  text: lineText(M.queryCharsMax),
  /** All of them. */
  tags: list(wordText(M.tagCharsMax), M.tagsMax),
  task: nullable(lineText(M.taskCharsMax)),
  /** Shape that one of the model's inputs takes, with 0 for a dimension that may be any. */
  input: nullable(list(u32(), M.rankMax)),
  /** Cards that the answer names, at most. */
  limit: u32(M.foundMax),
});
export type ModelQuery = Decoded<typeof queryCodec>;

/** A request travels in the body of a parcel, the header is empty; so does its answer. */
export const modelsRequestCodec = union({
  search: queryCodec,
  /** For a newcomer: what came last. */
  newest: struct({ limit: u32(M.newestMax) }),
  cards: struct({ ids }),
  statements: struct({ ids }),
});
export type ModelsRequest = Decoded<typeof modelsRequestCodec>;

/** A card by its id, and a digest of the statements that are held about it. */
const markCodec = struct({ id: hashCodec<CardId>(), digest: bytes(8) });
export type CardMark = Decoded<typeof markCodec>;

export const modelsAnswerCodec = union({
  /** The best first. */
  found: struct({ marks: list(markCodec, M.foundMax) }),
  /** The newest first. */
  newest: struct({ marks: list(markCodec, M.newestMax) }),
  cards: struct({ cards: list(signedCard, M.idsMax) }),
  statements: struct({ statements: list(signedStatement, M.statementsMax) }),
  refused: struct({ reason: lineText(256) }),
});
export type ModelsAnswer = Decoded<typeof modelsAnswerCodec>;

/** What travels on the topic. */
export const modelsGossipCodec = union({
  card: struct({ card: signedCard }),
  statement: struct({ statement: signedStatement }),
});
export type ModelsGossip = Decoded<typeof modelsGossipCodec>;

/** Digest of the statements held about one card: equal wherever the same ones are held. */
export function statementsDigest(held: readonly CardStatement[]): Uint8Array {
  const hashes = held.map(({ hash }) => hash).toSorted(compareText);
  return sha256(...hashes.map(fromHex)).slice(0, 8);
}
