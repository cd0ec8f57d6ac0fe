import {
  ELEMENT_NAMES,
  isModelName,
  isPlainLine,
  isPlainText,
  isTag,
  MODELS_LIMITS as M,
  VOUCH_NAMES,
} from '@starling/protocol-models';
import { z } from 'zod';
import { offerViewSchema } from './offers-schema.ts';

/** Bodies and answers of the control API about published models. */
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');
const count = z.number().int().nonnegative();
const most = (max: number, what: string) =>
  [
    ({ length }: { readonly length: number }) => length <= max,
    { message: `at most ${max} ${what}` },
  ] as const;
const line = (max: number) =>
  z
    .string()
    .refine(...most(max, 'characters'))
    .refine(isPlainLine, 'one line, without control characters');
const lines = (max: number) =>
  z
    .string()
    .refine(...most(max, 'characters'))
    .refine(isPlainText, 'no control characters but line breaks');
const listOf = <T extends z.ZodType>(item: T, max: number, what: string) =>
  z.array(item).refine(...most(max, what));

export const modelNameSchema = z
  .string()
  .refine(isModelName, `use 1 to ${M.nameCharsMax} small letters, digits, dots, hyphens and _`);
const tag = z
  .string()
  .refine(isTag, `a tag is 1 to ${M.tagCharsMax} small letters, digits, dots, hyphens and _`);
/** How a person names a card. */
const cardName = z.string().refine(...most(128, 'characters'));
const shape = listOf(z.number().int().nonnegative().max(0xffffffff), M.rankMax, 'dimensions');

const metric = z.strictObject({
  name: modelNameSchema.refine(...most(M.metricNameCharsMax, 'characters')),
  value: z.number(),
  /** On what data, in words. */
  on: line(M.metricOnCharsMax).default(''),
});
export type MetricInput = z.input<typeof metric>;

/** What a publisher writes; the rest follows from the job, or from the file and its proof. */
export const cardFileSchema = z.strictObject({
  /** The job's unless told. */
  name: modelNameSchema.optional(),
  /** The next one of this name unless told. */
  version: z.number().int().min(1).max(0xffffffff).optional(),
  /** The job's unless told. */
  task: line(M.taskCharsMax).optional(),
  summary: line(M.summaryCharsMax).default(''),
  tags: listOf(tag, M.tagsMax, 'tags').default([]),
  /** What it was trained on. */
  data: lines(M.dataCharsMax).default(''),
  /** An SPDX expression. */
  licence: line(M.licenceCharsMax).default(''),
  /** Beside the two that the certificates may hold. */
  metrics: listOf(metric, M.metricsMax - 2, 'metrics').default([]),
  /** Cards of the models that it was made from: ids, or names. */
  parents: listOf(cardName, M.parentsMax, 'parents').default([]),
  /** For a model without a job that promises it. */
  privacy: z
    .strictObject({
      mechanism: line(M.mechanismCharsMax),
      epsilon: z.number().nonnegative(),
      delta: z.number().nonnegative().lt(1),
    })
    .optional(),
});
export type CardFile = z.output<typeof cardFileSchema>;
export type CardFileInput = z.input<typeof cardFileSchema>;

/** How an average was made: models by their SHA-256, and how much each counts. */
const recipe = z
  .array(z.strictObject({ model: hash, weight: z.number().positive() }))
  .min(2)
  .refine(...most(M.parentsMax, 'models'));

/** Either a job that this peer knows, or a model as base64, with its proof where there is one. */
export const publishSchema = z
  .strictObject({
    card: cardFileSchema,
    /** Peers get a ciphertext, and its key for a token alone. */
    restricted: z.boolean().default(false),
    /** Of an average, of models that are published already. */
    recipe: recipe.optional(),
    job: z.string().optional(),
    model: z.string().optional(),
    proof: z.string().optional(),
  })
  .refine(
    ({ job, model }) => (job === undefined) !== (model === undefined),
    'either a job or a model',
  )
  .refine(({ job, proof }) => job === undefined || proof === undefined, 'a job has its own proof');
export type Publish = z.input<typeof publishSchema>;

export const modelSearchSchema = z.strictObject({
  text: line(M.queryCharsMax).default(''),
  tags: listOf(tag, M.tagsMax, 'tags').default([]),
  task: line(M.taskCharsMax).nullable().default(null),
  /** Shape that an input takes, with 0 for any size. */
  input: shape.nullable().default(null),
  limit: z.number().int().min(1).max(M.foundMax).default(20),
  /** Only in what this peer holds. */
  here: z.boolean().default(false),
  /** For what others answer. */
  timeoutSeconds: z.number().positive().max(120).default(5),
});
export type ModelSearch = z.input<typeof modelSearchSchema>;

export const modelVouchSchema = z
  .strictObject({
    what: z.enum(VOUCH_NAMES),
    metric: metric.nullable().default(null),
    note: lines(M.noteCharsMax).default(''),
  })
  .refine(
    ({ what, metric: measured }) => (what === 'evaluated') === (measured !== null),
    'a metric belongs to an evaluation, and to nothing else',
  );
export type ModelVouch = z.input<typeof modelVouchSchema>;

export const deprecateSchema = z.strictObject({
  reason: lines(M.noteCharsMax).default(''),
  /** A card in its place, by its id or name. */
  successor: cardName.nullable().default(null),
});
export type Deprecate = z.input<typeof deprecateSchema>;

const sized = z.object({ hash, bytes: count });
const value = z.object({ name: z.string(), type: z.enum(ELEMENT_NAMES), shape: z.array(count) });
const measured = z.object({ name: z.string(), value: z.number(), on: z.string() });

export const cardViewSchema = z.object({
  ...{ id: hash, publisher: z.string(), name: z.string(), version: count, task: z.string() },
  ...{ summary: z.string(), tags: z.array(z.string()), data: z.string(), licence: z.string() },
  /** With 0 for a dimension that is open. */
  inputs: z.array(value),
  outputs: z.array(value),
  model: sized,
  /** What peers exchange: the model, or a ciphertext of it. */
  blob: sized,
  access: z.enum(['open', 'restricted']),
  proof: sized.nullable(),
  lineage: z
    .object({ job: hash, launcher: z.string(), round: count, certificate: hash, state: hash })
    .nullable(),
  /** Parts of an average; null for a model that is none. */
  recipe: z.array(z.object({ card: hash, weight: z.number() })).nullable(),
  parents: z.array(hash),
  /** With the round in whose certificate it stands; null for what only the publisher says. */
  metrics: z.array(measured.extend({ certified: count.nullable() })),
  privacy: z.object({ mechanism: z.string(), epsilon: z.number(), delta: z.number() }).nullable(),
  /** By the publisher's clock. */
  published: z.string(),
  swarm: hash.nullable(),
  /** Null unless its publisher says to use it no more. */
  deprecated: z
    .object({ reason: z.string(), successor: hash.nullable(), at: z.string() })
    .nullable(),
  /** Who says what of it; by their own clocks. */
  vouches: z.array(
    z.object({
      signer: z.string(),
      what: z.enum(VOUCH_NAMES),
      metric: measured.nullable(),
      note: z.string(),
      at: z.string(),
    }),
  ),
  /** What its publisher asks for a token; null where it offers none. */
  offer: offerViewSchema.nullable(),
});
export type CardView = z.infer<typeof cardViewSchema>;

export const foundModelsSchema = z.object({
  models: z.array(
    z.object({
      card: cardViewSchema,
      score: z.number(),
      /** Words of the query, where they stand in the card, and what that is worth. */
      reasons: z.array(z.object({ word: z.string(), field: z.string(), points: z.number() })),
      /** There is a later version. */
      superseded: z.boolean(),
      /** Peers that named it when they were asked. */
      namedBy: z.array(z.string()),
    }),
  ),
  asked: z.array(z.object({ peer: z.string(), found: count, error: z.string().nullable() })),
});
export type FoundModels = z.infer<typeof foundModelsSchema>;

/** A model and what proves where it comes from, as base64. */
export const fetchedModelSchema = z.object({
  card: cardViewSchema,
  /** The card as its publisher signed it. */
  signed: z.string(),
  model: z.string(),
  proof: z.string().nullable(),
  /** Signed cards of its parents, as far as they are known here. */
  parents: z.array(z.string()),
});
export type FetchedModelView = z.infer<typeof fetchedModelSchema>;
