import { z } from 'zod';
import { dataNameSchema, dataSchema } from './data-schema.ts';
import { text } from './lengths.ts';

const word = text(4096).optional();

/** Files to look at, and how they are to be read, as words of `starling data add`. */
export const inspectSchema = z.strictObject({
  /** Absolute, or s3://bucket/prefix; on the daemon's machine. */
  path: text(4096).refine((path) => /^(\/|[a-z]:[\\/]|s3:\/\/)/i.test(path), {
    message: 'give an absolute path, or s3://bucket/prefix',
  }),
  /** Of the data set that it is to be. */
  name: dataNameSchema,
  ...{ label: word, features: word, shape: word, normalise: word, classes: word, text: word },
  ...{ sequence: word, task: word, augment: word },
});
export type Inspect = z.infer<typeof inspectSchema>;

const numberOrNone = z.number().nullable();

/** What was found: what to offer, and what to know before. */
export const inspectionSchema = z.object({
  /** To be added as it is; null where the files cannot train as they are. */
  offer: dataSchema.nullable(),
  task: z.string(),
  format: z.string(),
  examples: z.number(),
  bytes: z.number(),
  shape: z.array(z.number()),
  /** Names of the classes, where they have some. */
  classes: z.array(z.string()).nullable(),
  /** Examples of each class. */
  histogram: z.array(z.number()),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      width: z.number(),
      missing: z.number(),
      ...{ min: numberOrNone, max: numberOrNone, mean: numberOrNone, deviation: numberOrNone },
      /** Different values; null for more than a thousand, and for lists. */
      distinct: numberOrNone,
      use: z.enum(['input', 'label', 'unused']),
    }),
  ),
  /** What was guessed, one sentence each. */
  notes: z.array(z.string()),
  /** Why these files cannot train as they are, and what to do, one sentence each. */
  problems: z.array(z.string()),
});
export type InspectionView = z.infer<typeof inspectionSchema>;
