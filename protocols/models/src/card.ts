import {
  assert,
  type BlobHash,
  type Brand,
  bytes,
  type Codec,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  f64,
  type JobId,
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
import {
  checked,
  isDistinct,
  linesText,
  lineText,
  metricFields,
  sizedCodec,
  wordText,
} from './common.ts';
import { MODELS_LIMITS as M } from './limits.ts';
import { MODELS_LABEL } from './version.ts';

/** SHA-256 of a signed card, 64 lower-case hex digits. */
export type CardId = Brand<string, 'CardId'>;

/** Element types of a model's inputs and outputs; new ones are appended. */
export const ELEMENT_NAMES = [
  ...(['float32', 'float64', 'uint8', 'int8', 'int32', 'int64', 'bool'] as const),
  'float16',
] as const;
/** Whether the model's file itself is handed out, or a ciphertext of it. */
export const ACCESS_NAMES = ['open', 'restricted'] as const;

const valueCodec = struct({
  name: lineText(M.valueNameCharsMax),
  type: oneOf(ELEMENT_NAMES),
  /** 0 for a dimension that is open, such as the batch. */
  shape: list(u32(), M.rankMax),
});
export type ModelValue = Decoded<typeof valueCodec>;
const valuesCodec = list(valueCodec, M.valuesMax);

/** A number about a model, and the round in whose certificate it stands, when it does. */
export const cardMetricCodec = struct({
  ...metricFields,
  /** A certificate measures the model before its round. Null for what only the publisher says. */
  certified: nullable(u32(1_000_000)),
});
export type CardMetric = Decoded<typeof cardMetricCodec>;

const lineageCodec = checked(
  struct({
    job: hashCodec<JobId>(),
    launcher: peerCodec,
    /** Of the certificate whose state the model is. */
    round: u32(1_000_000),
    /** Hash of that certificate's statement, as the rounds protocol has it. */
    certificate: hashCodec<string>(),
    state: hashCodec<BlobHash>(),
  }),
  ({ round }) => (round === 0 ? 'round 0 has no certificate' : undefined),
);
export type Lineage = Decoded<typeof lineageCodec>;

const partCodec = checked(struct({ card: hashCodec<CardId>(), weight: f64 }), ({ weight }) =>
  weight > 0 ? undefined : 'a weight is not above nought',
);
/** How the model was made of others, so that everybody can make it again. */
const recipeCodec = union({ average: struct({ parts: list(partCodec, M.parentsMax) }) });
export type Recipe = Decoded<typeof recipeCodec>;

const privacyCodec = checked(
  struct({ mechanism: lineText(M.mechanismCharsMax), epsilon: f64, delta: f64 }),
  ({ epsilon, delta }) =>
    epsilon >= 0 && delta >= 0 && delta < 1 ? undefined : 'epsilon or delta is out of range',
);

const bareCodec = struct({
  name: wordText(M.nameCharsMax),
  /** The publisher's own count under this name, from 1. */
  version: u32(),
  task: lineText(M.taskCharsMax),
  summary: lineText(M.summaryCharsMax),
  tags: list(wordText(M.tagCharsMax), M.tagsMax),
  inputs: valuesCodec,
  outputs: valuesCodec,
  /** The ONNX file in clear. */
  model: sizedCodec<BlobHash>(),
  /** What peers exchange: the model, or a ciphertext of it. */
  blob: sizedCodec<BlobHash>(),
  access: oneOf(ACCESS_NAMES),
  /** The rounds protocol's proof of the lineage. */
  proof: nullable(sizedCodec<BlobHash>()),
  lineage: nullable(lineageCodec),
  recipe: nullable(recipeCodec),
  /** Cards of the models that this one was made from. */
  parents: list(hashCodec<CardId>(), M.parentsMax),
  /** What it was trained on. */
  data: linesText(M.dataCharsMax),
  metrics: list(cardMetricCodec, M.metricsMax),
  /** What the training gave away of each peer's examples; null when nothing is promised. */
  privacy: nullable(privacyCodec),
  /** An SPDX expression. */
  licence: lineText(M.licenceCharsMax),
  /** Seconds since 1970, by the publisher's clock; nothing depends on it. */
  published: u32(),
  /** The private swarm that it was published in, or null. */
  swarm: nullable(hashCodec<string>()),
});
export type Card = Decoded<typeof bareCodec>;

/** What contradicts itself in a card, in words, or undefined; spec §3. Not: lengths. */
export function cardFault(card: Card): string | undefined {
  const { model, blob, access, proof, lineage, recipe, parents, metrics, tags } = card;
  if (card.version === 0) return 'versions count from 1';
  if (!isDistinct(tags)) return 'a tag is there twice';
  if (!isDistinct(parents)) return 'a parent is there twice';
  if ((access === 'open') !== (blob.hash === model.hash)) {
    return access === 'open' ? 'an open blob is not the model' : 'a restricted blob is the model';
  }
  if (access === 'open' && blob.bytes !== model.bytes) return 'the blob has another size';
  if ((proof === null) !== (lineage === null)) return 'proof and lineage belong together';
  if (lineage === null && metrics.some(({ certified }) => certified !== null)) {
    return 'a certified metric without a lineage';
  }
  if (recipe !== null && lineage !== null) return 'a lineage and a recipe';
  if (recipe === null) return undefined;
  const parts = recipe.parts.map(({ card: part }) => part);
  const named = new Set<string>(parents);
  if (parts.length < 2 || !isDistinct(parts)) return 'an average is of two different cards or more';
  return parts.every((part) => named.has(part)) ? undefined : 'a part is no parent';
}

export const cardCodec: Codec<Card> = checked(bareCodec, cardFault);

/** A card with its publisher's signature. */
export const signedCardCodec = struct({
  card: bytes(1, M.cardBytesMax),
  publisher: peerCodec,
  signature: signatureCodec,
});

/** A card that was read, and whose signature holds. */
export interface PublishedCard {
  readonly id: CardId;
  readonly publisher: PeerId;
  readonly card: Card;
  /** The signed bytes, to pass on; `id` is their SHA-256. */
  readonly bytes: Uint8Array;
}

const signedBytes = (card: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${MODELS_LABEL}/card`), card);

/** @throws InvariantError for a card that breaks a limit or contradicts itself (`cardFault`) */
export function signCard(card: Card, key: SigningKey): PublishedCard {
  const fault = cardFault(card);
  assert(fault === undefined, `a card to be signed: ${fault}`);
  const encoded = encodeCanonical(cardCodec, card);
  const signed = encodeCanonical(signedCardCodec, {
    card: encoded,
    publisher: key.peerId,
    signature: key.sign(signedBytes(encoded)),
  });
  return { id: hashHex(signed) as CardId, publisher: key.peerId, card, bytes: signed };
}

/**
 * Reads a signed card and checks its signature.
 * @throws DecodeError on malformed bytes; undefined when the signature is wrong
 */
export function readCard(signed: Uint8Array): PublishedCard | undefined {
  const outer = decodeCanonical(signedCardCodec, signed, M.signedCardBytesMax);
  const card = decodeCanonical(cardCodec, outer.card, M.cardBytesMax);
  if (!verify(outer.publisher, signedBytes(outer.card), outer.signature)) return undefined;
  return { id: hashHex(signed) as CardId, publisher: outer.publisher, card, bytes: signed };
}

/** One place for each publisher, name and version. */
export const cardPlaceOf = ({ publisher, card }: PublishedCard): string =>
  `${publisher}/${card.name}/${card.version}`;
