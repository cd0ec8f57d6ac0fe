import { z } from 'zod';

/** The Open Inference Protocol's messages, version 2, as this server takes and gives them. */
const LIST_MAX = 64;
const name = z.string().min(1).max(256);
const shape = z.array(z.number().int().nonnegative()).max(8);
const parameters = z.record(z.string(), z.unknown());

export const failureSchema = z.object({ error: z.string() });

export const serverSchema = z.object({
  ...{ name: z.string(), version: z.string(), extensions: z.array(z.string()) },
});

export const liveSchema = z.object({ live: z.boolean() });
export const readySchema = z.object({ live: z.boolean(), ready: z.boolean() });
export const modelReadySchema = z.object({ name: z.string(), ready: z.boolean() });

const tensorMetadata = z.object({
  ...{ name: z.string(), datatype: z.string() },
  /** -1 for a size that is open. */
  shape: z.array(z.number().int()),
});

export const modelSchema = z.object({
  ...{ name: z.string(), versions: z.array(z.string()), platform: z.string() },
  ...{ inputs: z.array(tensorMetadata), outputs: z.array(tensorMetadata) },
});

export const inferRequestSchema = z.object({
  id: z.string().max(256).optional(),
  parameters: parameters.optional(),
  inputs: z
    .array(
      z.object({
        ...{ name, shape, datatype: z.string() },
        parameters: parameters.optional(),
        /** Nested or flat, in row-major order; absent where the data are binary. */
        data: z.array(z.unknown()).optional(),
      }),
    )
    .max(LIST_MAX),
  outputs: z
    .array(z.object({ name, parameters: parameters.optional() }))
    .max(LIST_MAX)
    .optional(),
});
export type InferBody = z.infer<typeof inferRequestSchema>;

export const inferResponseSchema = z.object({
  ...{ model_name: z.string(), model_version: z.string() },
  id: z.string().optional(),
  outputs: z.array(
    z.object({
      ...{ name: z.string(), datatype: z.string(), shape },
      parameters: parameters.optional(),
      data: z.array(z.union([z.number(), z.boolean()])).optional(),
    }),
  ),
});
export type InferResponse = z.infer<typeof inferResponseSchema>;
