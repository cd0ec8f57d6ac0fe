import { isAbsolute } from 'node:path';
import { isObjectUrl } from '@starling/storage';
import { z } from 'zod';

const place = z
  .string()
  .refine(
    (to) => isAbsolute(to) || /^s3:\/\/[^/]+(\/|$)/.test(to),
    'give the whole path of a folder, or s3://bucket/prefix',
  )
  .transform((to) => (isObjectUrl(to) ? to : to.replace(/(?<=.)\/+$/, '')));

/** Where models of certified rounds go, for others to read; nowhere without. */
export const checkpointsSchema = z
  .strictObject({
    to: place,
    /** Rounds from one to the next. */
    every: z.number().int().min(1).max(1_000_000).default(1),
    /** Of each job, the newest so many; older ones are deleted. */
    keep: z.number().int().min(1).max(100_000).default(10),
  })
  .optional();
export type CheckpointsConfig = NonNullable<z.output<typeof checkpointsSchema>>;
