import { z } from 'zod';

const count = z.number().int().nonnegative();
const positive = z.number().positive();
const delta = positive.min(1e-30).max(0.01);

/** Privacy as a job file has it: noise by its size, or by the epsilon that it is to give. */
export const privacySchema = z
  .strictObject({
    mechanism: z.enum(['none', 'distributed-gaussian']).default('none'),
    /** Standard deviation of a sum's noise over the clipping norm. */
    noiseMultiplier: positive.optional(),
    /** In place of it: what all updates of one peer may give away, at most. */
    epsilon: positive.max(1_000).optional(),
    /** 0.00001 unless told. */
    delta: delta.optional(),
    /** Updates that one peer gives at most, a tenth more than the rounds unless told. */
    updatesMax: z.number().int().positive().max(2_000_000).optional(),
  })
  .superRefine((given, context) => {
    const { mechanism, noiseMultiplier, epsilon } = given;
    const fault = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (mechanism === 'none') {
      const { mechanism: _, ...numbers } = given;
      const idle = Object.entries(numbers).find(([, value]) => value !== undefined);
      if (idle)
        fault(idle[0], 'has no effect with mechanism none; did you mean distributed-gaussian?');
      return;
    }
    if ((noiseMultiplier === undefined) === (epsilon === undefined)) {
      fault('epsilon', 'give epsilon, such as 8, or noiseMultiplier, such as 1, and not both');
    }
  });
export type PrivacyFile = z.infer<typeof privacySchema>;

/** What a job promises to each who takes part. */
export const guaranteeSchema = z.object({
  epsilon: z.number(),
  delta: z.number(),
  noiseMultiplier: z.number(),
  updatesMax: count,
  /** Zero-concentrated differential privacy of one update. */
  rho: z.number(),
});
export type GuaranteeView = z.infer<typeof guaranteeSchema>;

/** What this peer's data sets have given away. */
export const privacyViewSchema = z.object({
  datasets: z.array(
    z.object({
      dataset: z.string(),
      /** The owner's, or null where none is set. */
      budget: z.object({ epsilon: z.number(), delta: z.number() }).nullable(),
      /** Spent in all, at `delta`: the budget's, or 0.00001. */
      epsilon: z.number(),
      delta: z.number(),
      rho: z.number(),
      /** What may still be spent, null where no budget is set. */
      left: z.object({ epsilon: z.number(), rho: z.number() }).nullable(),
      jobs: z.array(
        z.object({
          job: z.string(),
          name: z.string().nullable(),
          updates: count,
          epsilon: z.number(),
          rho: z.number(),
        }),
      ),
      /** Of single examples, at `delta`; null where local DP-SGD neither is nor was. */
      examples: z
        .object({
          /** As the owner wants it now, or null. */
          noise: z.object({ clippingNorm: z.number(), noiseMultiplier: z.number() }).nullable(),
          trainings: count,
          epsilon: z.number(),
        })
        .nullable(),
    }),
  ),
});
export type PrivacyView = z.infer<typeof privacyViewSchema>;
