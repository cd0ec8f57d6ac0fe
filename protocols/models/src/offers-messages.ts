import { bytes, type Decoded, struct, union } from '@starling/core';
import { hashCodec } from '@starling/crypto';
import type { CardId } from './card.ts';
import { lineText } from './common.ts';
import { MODELS_LIMITS as M } from './limits.ts';
import { paymentCodec } from './payment.ts';

/** A request of `/starling/offers/1`; like its answer, the body of a parcel. */
export const offersRequestCodec = union({
  /** A token, under the terms of the offer that the hash names. */
  buy: struct({ card: hashCodec<CardId>(), offer: hashCodec<string>(), payment: paymentCodec }),
  /** The key of a restricted model's ciphertext. */
  key: struct({ token: bytes(1, M.tokenBytesMax) }),
  /** For a debtor to know that it has paid. */
  acquit: struct({ acquittal: bytes(1, M.paymentBytesMax) }),
  /** A token that its publisher gives unasked. */
  grant: struct({ token: bytes(1, M.tokenBytesMax) }),
});
export type OffersRequest = Decoded<typeof offersRequestCodec>;

export const offersAnswerCodec = union({
  sold: struct({ token: bytes(1, M.tokenBytesMax) }),
  key: struct({ key: bytes(32) }),
  taken: struct({}),
  refused: struct({ reason: lineText(256) }),
});
export type OffersAnswer = Decoded<typeof offersAnswerCodec>;
