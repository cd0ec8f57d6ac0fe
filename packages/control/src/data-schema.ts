import { INPUT_TYPES, TARGET_KINDS } from '@starling/protocol-rounds';
import type { Dataset, ReadingPlan } from '@starling/trainer';
import { z } from 'zod';
import { lengthWithin, text as textWithin } from './lengths.ts';

/**
 * A data set as the command line hands it to the daemon: looked at already, so that the daemon need
 * not go through all of it. Its reading is checked again wherever it is opened.
 */
const count = z.number().int().nonnegative();
const text = z.string();
const shape = z.array(z.number().int().positive()).refine(...lengthWithin(8, 'dimensions'));
/** A list with something in it. */
const some = <T extends z.ZodType>(item: T) =>
  z.array(item).refine(...lengthWithin(1_000_000, 'entries'));

const elements = z.discriminatedUnion('dtype', [
  z.strictObject({ dtype: z.literal('uint8'), scale: z.number() }),
  z.strictObject({ dtype: z.literal('int32') }),
  z.strictObject({
    dtype: z.literal('float32'),
    shift: some(z.number()),
    factor: some(z.number()),
  }),
]);

const target = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('classes'), count, names: z.array(text).nullable() }),
  z.strictObject({ kind: z.literal('numbers'), width: count }),
  z.strictObject({ kind: z.literal('sequence'), count, length: count }),
]);

const unit = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bytes') }),
  z.strictObject({ kind: z.literal('characters') }),
  z.strictObject({ kind: z.literal('tokenizer'), path: text }),
]);

const reading = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('table'),
    columns: z.strictObject({
      features: some(text),
      labels: z.array(text),
      labelsAre: z.enum(['indices', 'names']),
    }),
    rows: some(count),
  }),
  z.strictObject({ kind: z.literal('arrays'), inputs: text, targets: text.nullable() }),
  z.strictObject({ kind: z.literal('images') }),
  z.strictObject({
    kind: z.literal('text'),
    unit,
    alphabet: z.array(text),
    blocks: z.array(z.strictObject({ path: text, start: count, end: count, tokens: count })),
  }),
]);

export const readingPlanSchema: z.ZodType<ReadingPlan> = z.strictObject({
  format: z.enum(['idx', 'csv', 'json-lines', 'parquet', 'npy', 'npz', 'images', 'text']),
  files: count,
  bytes: count,
  count: z.number().int().min(2),
  ...{ shape, elements, target, reading },
  histogram: z.array(count),
});

const augmentation = z
  .strictObject({ flip: z.boolean(), crop: count.max(64), noise: z.number().nonnegative() })
  .nullable();

export const dataNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'use letters, digits, dot, hyphen');

export const dataSchema: z.ZodType<Dataset> = z.strictObject({
  name: dataNameSchema,
  path: textWithin(4096),
  plan: readingPlanSchema,
  augment: augmentation,
  schema: z.strictObject({
    task: textWithin(64),
    input: z.strictObject({ dtype: z.enum(INPUT_TYPES), shape }),
    target: z.enum(TARGET_KINDS),
    classes: count,
  }),
});

export const dataViewSchema = z.object({
  ...{ name: text, path: text, task: text, format: text },
  examples: count,
  /** Of one example. */
  shape: z.array(count),
  dtype: z.enum(INPUT_TYPES),
  target: z.enum(TARGET_KINDS),
  classes: count,
  augment: augmentation,
});
export type DataSetView = z.infer<typeof dataViewSchema>;
