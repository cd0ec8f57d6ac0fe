import { isPlainLine, isPlainText, isTag, MODELS_LIMITS as M } from '@starling/protocol-models';
import { z } from 'zod';

/** Bodies and answers of the control API about offers, tokens and what peers owe each other. */
const count = z.number().int().nonnegative().max(0xffffffff);
const amount = z.number().int().nonnegative();
const unit = z
  .string()
  .max(M.unitCharsMax)
  .refine(isTag, 'small letters, digits, dots, hyphens and _');
const time = z.string();
const peer = z.string().max(128);
/** The longest that a token holds: a hundred years. */
const SECONDS_MAX = 100 * 366 * 86_400;
const seconds = z.number().int().positive().max(SECONDS_MAX);

export const offerSchema = z.strictObject({
  amount: count,
  unit,
  licence: z.string().max(M.licenceCharsMax).refine(isPlainLine, 'one line').default(''),
  /** That a token holds. */
  seconds: seconds.default(366 * 86_400),
  /** Seconds since 1970; 0 withdraws the offer. */
  until: count,
  note: z.string().max(M.noteCharsMax).refine(isPlainText, 'plain text').default(''),
});
export type OfferInput = z.input<typeof offerSchema>;

export const offerViewSchema = z.object({
  ...{ amount, unit: z.string(), licence: z.string(), seconds: amount },
  until: time,
  note: z.string(),
});
export type OfferView = z.infer<typeof offerViewSchema>;

/** A receipt names a payment made elsewhere; an IOU is signed without one. */
export const buySchema = z.strictObject({
  receipt: z.string().min(1).max(M.paymentNoteCharsMax).refine(isPlainLine, 'one line').optional(),
});

export const grantSchema = z.strictObject({ holder: peer, seconds: seconds.default(366 * 86_400) });
export type Grant = z.input<typeof grantSchema>;
/** Serials of tokens, or peers for all of theirs. */
export const revokeTokensSchema = z.strictObject({
  whose: z.array(z.string().max(128)).min(1).max(M.revokedMax),
});
export const revokedTokensSchema = z.object({ serials: z.array(z.string()) });
/** A token that came by another way, as base64. */
export const takeTokenSchema = z.strictObject({ token: z.base64().max(2 * M.tokenBytesMax) });

export const tokenViewSchema = z.object({
  ...{ card: z.string(), holder: z.string(), serial: z.string(), issued: time, expires: time },
  revoked: z.boolean(),
  /** To be carried to its holder, as base64; it is worth nothing to others. */
  token: z.string(),
});
export type TokenView = z.infer<typeof tokenViewSchema>;

export const acquitSchema = z.strictObject({
  ...{ peer, amount: count.min(1), unit },
  note: z.string().max(M.paymentNoteCharsMax).refine(isPlainLine, 'one line').default(''),
});
export type Acquit = z.input<typeof acquitSchema>;

const posting = z.object({ account: z.string(), amount: z.number().int(), unit: z.string() });
export const ledgerSchema = z.object({
  /** Debits above 0: what is owed to this peer, and what it has spent. */
  balances: z.array(posting),
  entries: z.array(
    z.object({ id: z.string(), at: time, memo: z.string(), postings: z.array(posting) }),
  ),
  /** IOUs that were signed for a seller that has not answered. */
  pending: z.array(
    z.object({ to: z.string(), amount, unit: z.string(), offer: z.string(), at: time }),
  ),
});
export type LedgerView = z.infer<typeof ledgerSchema>;
