import { isTag, MODELS_LIMITS } from '@starling/protocol-models';
import { z } from 'zod';

const unit = z
  .string()
  .max(MODELS_LIMITS.unitCharsMax)
  .refine(isTag, 'a unit is small letters, digits, dots, hyphens and _');

/** What this peer takes for its restricted models. */
export const offersSchema = z
  .strictObject({
    /** By unit: what a peer may owe here in IOUs; none without. */
    credit: z.record(unit, z.number().int().nonnegative().max(0xffffffff)).default({}),
    /** A program that is asked about receipts of payments made elsewhere, and its arguments. */
    check: z.array(z.string().min(1)).min(1).optional(),
  })
  .prefault({});
export type OffersConfig = z.output<typeof offersSchema>;
