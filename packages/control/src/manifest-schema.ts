import {
  type Aggregation,
  INPUT_TYPES,
  LOSS_NAMES,
  type Manifest,
  MECHANISM_NAMES,
  TARGET_KINDS,
  TARGET_METRICS,
  type Training,
} from '@starling/protocol-rounds';
import { z } from 'zod';

const count = z.number().int().nonnegative();

/** All keys of a part of a job file, with their defaults filled in. */
const asInJobFile = <T>(part: string) =>
  z
    .looseObject({})
    .describe(`${part} of a job file, defaults filled in`) as unknown as z.ZodType<T>;

/** What a job's launcher has signed, for people. */
export const manifestViewSchema = z.object({
  job: z.string(),
  name: z.string(),
  launcher: z.string(),
  model: z.object({
    /** Of the launched ONNX file. */
    hash: z.string(),
    /** Null while it is not held here. */
    bytes: count.nullable(),
    /** Trainable weights; null while it is not held here, or cannot be read. */
    parameters: count.nullable(),
  }),
  data: z.object({
    task: z.string(),
    inputType: z.enum(INPUT_TYPES),
    inputShape: z.array(count),
    target: z.enum(TARGET_KINDS),
    classes: count,
  }),
  loss: z.enum(LOSS_NAMES),
  training: asInJobFile<Training>('`training`'),
  aggregation: asInJobFile<Aggregation>('`aggregation`'),
  privacy: z.object({
    mechanism: z.enum(MECHANISM_NAMES),
    noiseMultiplier: z.number(),
    delta: z.number(),
    updatesMax: count,
  }),
  admission: z.object({
    minPeers: count,
    maxPeers: count,
    joinWindowSeconds: z.number(),
    participation: z.number(),
  }),
  stop: z.object({
    rounds: count,
    target: z.object({ metric: z.enum(TARGET_METRICS), value: z.number() }).nullable(),
    /** Null where no time ends it. */
    minutes: z.number().nullable(),
  }),
});
export type ManifestView = z.infer<typeof manifestViewSchema>;

interface Launched {
  readonly job: string;
  readonly launcher: string;
  readonly manifest: Manifest;
  readonly modelBytes: number | undefined;
  readonly parameters: number | undefined;
}

/** A manifest as the API shows it. */
export function manifestView(launched: Launched): ManifestView {
  const { job, launcher, manifest, modelBytes, parameters } = launched;
  const { model, data, stop, nonce: _, ...rest } = manifest;
  const { seconds, ...ends } = stop;
  return {
    ...{ job, launcher, ...rest },
    model: { hash: model, bytes: modelBytes ?? null, parameters: parameters ?? null },
    data: { ...data, inputShape: [...data.inputShape] },
    stop: { ...ends, minutes: seconds === 0 ? null : seconds / 60 },
  };
}
