import {
  CLASS_WEIGHTS_MAX,
  DEFAULT_TRAINING,
  FROZEN_PATTERN_MAX,
  FROZEN_PATTERNS_MAX,
  METRIC_NAME_MAX,
  METRICS_MAX,
  OPTIMIZER_NAMES,
  PERSONAL_PATTERNS_MAX,
  SCHEDULE_KINDS,
  SCHEDULE_UNITS,
  type Training,
} from '@starling/protocol-rounds';
import { z } from 'zod';

const positive = z.number().positive();
const bound = z.number().nonnegative();
const share = z.number().min(0).lt(1);
const units = z.number().int().min(0).max(1_000_000);

/** Numbers that only some optimisers, schedules or losses read; others refuse them by name. */
const OPTIMIZER_NUMBERS = {
  momentum: ['sgd', 'rmsprop'],
  nesterov: ['sgd'],
  beta1: ['adam', 'adamw'],
  beta2: ['adam', 'adamw'],
  alpha: ['rmsprop'],
  epsilon: ['adam', 'adamw', 'rmsprop', 'adagrad'],
} as const;
const SCHEDULE_NUMBERS = {
  every: ['step'],
  factor: ['step'],
  length: ['cosine', 'polynomial'],
  power: ['polynomial'],
  floor: ['cosine', 'polynomial'],
} as const;

/**
 * A number that the chosen kind does not read is its writer's mistake, unless it says what holds
 * anyway: files with their defaults filled in are read again.
 */
export function refuseIdle<K extends string>(
  chosen: string,
  owners: Readonly<Record<K, readonly string[]>>,
  given: { readonly [key in NoInfer<K>]?: unknown },
  defaults: { readonly [key in NoInfer<K>]: unknown },
): readonly { readonly path: readonly [K]; readonly message: string }[] {
  const keys = Object.keys(owners) as K[];
  return keys.flatMap((key) => {
    const kinds = owners[key];
    const isSaid = given[key] !== undefined && given[key] !== defaults[key];
    if (!isSaid || kinds.includes(chosen)) return [];
    return [{ path: [key], message: `${chosen} has no ${key}; it belongs to ${kinds.join(', ')}` }];
  });
}

const scheduleSchema = z
  .strictObject({
    kind: z.enum(SCHEDULE_KINDS).default('constant'),
    per: z.enum(SCHEDULE_UNITS).default('step'),
    warmup: units.default(0),
    every: units.min(1).optional(),
    factor: positive.optional(),
    length: units.optional(),
    power: positive.optional(),
    floor: z.number().min(0).max(1).optional(),
  })
  .superRefine((schedule, context) => {
    const { kind } = schedule;
    const idle = refuseIdle(kind, SCHEDULE_NUMBERS, schedule, DEFAULT_TRAINING.schedule);
    for (const { path, message } of idle)
      context.addIssue({ code: 'custom', path: [...path], message });
  })
  .transform((schedule) => filled(DEFAULT_TRAINING.schedule, schedule));

const lossOptionsSchema = z.strictObject({
  labelSmoothing: share.default(0),
  ignoreIndex: z
    .number()
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1)
    .nullable()
    .default(null),
  classWeights: z
    .array(bound)
    .max(CLASS_WEIGHTS_MAX)
    .refine(
      (weights) => weights.length === 0 || weights.some((weight) => weight > 0),
      'some class must count',
    )
    .default([]),
  delta: positive.default(1),
});

const metricSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]*$/, 'expected small letters, digits and hyphens')
      .max(METRIC_NAME_MAX),
    /** The model's output; it has the metric's name unless told. */
    output: z.string().min(1).max(FROZEN_PATTERN_MAX).optional(),
    low: z.number().default(0),
    high: z.number().default(1),
  })
  .transform(({ output, ...metric }) => ({ ...metric, output: output ?? metric.name }));

/** `training` of a job file: all of it may be left out, and then it is one epoch of plain SGD. */
export const trainingSchema = z
  .strictObject({
    epochs: z.number().int().positive().max(1000).default(1),
    /** Most steps in a round; 0 for as many as the epochs have. */
    steps: z.number().int().min(0).max(10_000_000).default(0),
    /** Epochs without a lower validation loss after which training stops; 0 for never. */
    patience: z.number().int().min(0).max(1000).default(0),
    batchSize: z.number().int().positive().max(65_536).default(32),
    accumulation: z.number().int().positive().max(65_536).default(1),
    optimizer: z
      .enum(OPTIMIZER_NAMES, {
        error: `expected one of ${OPTIMIZER_NAMES.join(', ')} (momentum is a key beside it)`,
      })
      .default('sgd'),
    learningRate: positive.default(0.1),
    momentum: share.optional(),
    nesterov: z.boolean().optional(),
    beta1: share.optional(),
    beta2: share.optional(),
    alpha: share.optional(),
    epsilon: positive.optional(),
    weightDecay: bound.optional(),
    schedule: scheduleSchema.prefault({}),
    clipping: z.strictObject({ norm: bound.default(0), value: bound.default(0) }).prefault({}),
    proximal: bound.default(0),
    frozen: z.array(z.string().min(1).max(FROZEN_PATTERN_MAX)).max(FROZEN_PATTERNS_MAX).default([]),
    personal: z
      .array(z.string().min(1).max(FROZEN_PATTERN_MAX))
      .max(PERSONAL_PATTERNS_MAX)
      .default([]),
    dropout: z.boolean().default(true),
    lossOptions: lossOptionsSchema.prefault({}),
    /** Most seconds of training in a round, 0 for no limit: a slow peer does fewer steps. */
    seconds: z.number().int().min(0).max(86_400).default(0),
    /** What else is measured, with the loss, on what peers keep back: outputs of the model. */
    metrics: z.array(metricSchema).max(METRICS_MAX).default([]),
  })
  .superRefine((training, context) => {
    const { optimizer } = training;
    const idle = refuseIdle(optimizer, OPTIMIZER_NUMBERS, training, defaultsOf(optimizer));
    for (const { path, message } of idle)
      context.addIssue({ code: 'custom', path: [...path], message });
    if (training.nesterov && !training.momentum) {
      context.addIssue({ code: 'custom', path: ['nesterov'], message: 'needs momentum above 0' });
    }
  })
  .transform((training): Training => filled(defaultsOf(training.optimizer), training));

/** PyTorch's defaults, which differ between optimisers in two numbers. */
const defaultsOf = (optimizer: Training['optimizer']): Training => ({
  ...DEFAULT_TRAINING,
  epsilon: optimizer === 'adagrad' ? 1e-10 : DEFAULT_TRAINING.epsilon,
  weightDecay: optimizer === 'adamw' ? 0.01 : DEFAULT_TRAINING.weightDecay,
});

/** `defaults` with what `given` says. */
function filled<T extends object>(
  defaults: T,
  given: { readonly [K in keyof T]?: T[K] | undefined },
): T {
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(known) };
}
