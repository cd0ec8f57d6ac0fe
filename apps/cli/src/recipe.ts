import { z } from 'zod';

/** What was averaged: whoever has these files can do it again, to the byte. */
export const recipeSchema = z.strictObject({
  kind: z.literal('average'),
  of: z.array(z.strictObject({ model: z.string(), weight: z.number().positive() })).min(2),
});
export type Recipe = z.output<typeof recipeSchema>;
