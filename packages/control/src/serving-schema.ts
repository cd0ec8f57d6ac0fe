import { DEVICE_CHOICES } from '@starling/trainer';
import { z } from 'zod';
import { text } from './lengths.ts';

const count = z.number().int().nonnegative();

export const servedNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'use letters, digits, dot, hyphen');

/** How a model is served. */
export const serveOptionsSchema = z.strictObject({
  /** Rows of one run, at most. */
  maxBatch: z.number().int().min(1).max(4096).default(32),
  /** How long a request waits for others while nothing runs. */
  maxDelayMs: z.number().min(0).max(1000).default(0),
  /** Requests that wait, at most. */
  queue: z.number().int().min(1).max(65_536).default(256),
  device: z.enum(DEVICE_CHOICES).default('auto'),
  /** To members of the swarm as well. */
  swarm: z.boolean().default(false),
  /** Requests a minute of each client; null for all it likes. */
  quota: z.number().int().min(1).max(1_000_000).nullable().default(null),
});
export type ServeOptionsView = z.infer<typeof serveOptionsSchema>;

/** Where a served model comes from. */
const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('job'), job: text(1536) }),
  z.strictObject({ kind: z.literal('file'), file: text(4096), model: z.base64() }),
  /** A published model, by its card's id or name. */
  z.strictObject({ kind: z.literal('card'), card: text(1536) }),
]);
export type ServeSource = z.infer<typeof sourceSchema>;

export const serveSchema = z.strictObject({
  name: servedNameSchema,
  source: sourceSchema,
  options: serveOptionsSchema.prefault({}),
});
/** What is asked for; what is absent has its default. */
export type Serve = z.input<typeof serveSchema>;

const tensorType = z.enum(['float32', 'float64', 'int32', 'int64', 'uint8', 'int8', 'bool']);

const tensorSpec = z.object({
  ...{ name: z.string(), dtype: tensorType },
  /** Null for a size that is open. */
  shape: z.array(count.nullable()),
});

export const servedSchema = z.object({
  name: z.string(),
  /** For people: a job, or the name of a file. */
  from: z.string(),
  /** The certified round of a job; null while nothing is loaded. */
  version: z.string().nullable(),
  ...{ isReady: z.boolean(), device: z.string().nullable() },
  ...{ inputs: z.array(tensorSpec), outputs: z.array(tensorSpec) },
  /** Why requests do not share runs; null where they do. */
  unbatchable: z.string().nullable(),
  /** Why the newest version is not served, if it is not. */
  problem: z.string().nullable(),
  ...{ requests: count, failures: count, waiting: count },
  /** Runs of the model, and rows in all of them. */
  ...{ runs: count, rows: count },
  /** Changes to a newer version. */
  swaps: count,
  /** Of the last 1024 requests, in milliseconds; null before there is one. */
  latency: z.object({ p50Ms: z.number(), p99Ms: z.number() }).nullable(),
  options: serveOptionsSchema,
});
export type ServedView = z.infer<typeof servedSchema>;

export const servingSchema = z.object({
  /** Of the Open Inference Protocol; null where nothing listens. */
  url: z.string().nullable(),
  models: z.array(servedSchema),
});
export type ServingView = z.infer<typeof servingSchema>;

const tensor = z.strictObject({
  ...{ name: text(256), dtype: tensorType, shape: z.array(count) },
  /** Elements in row-major order, little-endian. */
  data: z.base64(),
});
export type TensorView = z.infer<typeof tensor>;

export const askPeerSchema = z.strictObject({
  peer: text(128),
  model: servedNameSchema,
  version: text(64).optional(),
  inputs: z.array(tensor),
  outputs: z.array(text(256)).optional(),
});
export type AskPeer = z.infer<typeof askPeerSchema>;

export const answeredSchema = z.object({ version: z.string(), outputs: z.array(tensor) });
export type AnsweredView = z.infer<typeof answeredSchema>;

export const peerModelSchema = z.object({
  ...{ model: z.string(), version: z.string() },
  ...{ inputs: z.array(tensorSpec), outputs: z.array(tensorSpec) },
});
export type PeerModelView = z.infer<typeof peerModelSchema>;
