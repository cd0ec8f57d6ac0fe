import { aggregationSchema, jobFileSchema, privacySchema, trainingSchema } from '@starling/control';
import { z } from 'zod';

const positive = z.number().positive();
const share = z.number().min(0).max(1);
const count = z.number().int().positive();

/** How examples are divided among clients; each kind's reason stands beside its function. */
export const partitionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('iid') }),
  z.strictObject({ kind: z.literal('shards'), classesPerClient: count.max(100).default(2) }),
  z.strictObject({ kind: z.literal('dirichlet'), alpha: positive, minimum: count.default(10) }),
  z.strictObject({ kind: z.literal('quantity'), alpha: positive, minimum: count.default(10) }),
  z.strictObject({
    kind: z.literal('feature'),
    /** Standard deviation of the noise at the last client; pixels are 0 to 1. */
    noise: z.number().min(0).max(10).default(0),
    /** Images of a client are so much brighter or darker at most. */
    brightness: z.number().min(0).max(1).default(0),
  }),
  /** The set's own ids: a column of a table, or who speaks in a play. */
  z.strictObject({ kind: z.literal('by-id'), minimum: count.default(10) }),
]);
export type Partition = z.infer<typeof partitionSchema>;

/** Part of all clients that attack. */
const fraction = share.default(0.2);
/** Times the honest update. */
const scale = positive.max(1e6);

export const attackSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('label-flip'), fraction }),
  z.strictObject({ kind: z.literal('sign-flip'), fraction, scale: scale.default(1) }),
  z.strictObject({ kind: z.literal('scaling'), fraction, scale: scale.default(10) }),
  z.strictObject({ kind: z.literal('gaussian'), fraction, scale: scale.default(10) }),
  z.strictObject({
    kind: z.literal('little-is-enough'),
    fraction,
    /** z of the paper; the largest that hides in a majority unless told. */
    deviations: positive.max(100).optional(),
  }),
  z.strictObject({ kind: z.literal('inner-product'), fraction, scale: scale.default(1) }),
  z.strictObject({
    kind: z.literal('replacement'),
    fraction,
    /** All participants over the attackers among them unless told. */
    scale: scale.optional(),
    /** Class that a stamped image is to be taken for. */
    label: z.number().int().min(0).default(0),
  }),
  z.strictObject({
    kind: z.literal('free-rider'),
    fraction,
    /** Norm of the noise that makes nothing look like something. */
    noise: z.number().min(0).default(0),
  }),
]);
export type Attack = z.infer<typeof attackSchema>;

const dataSchema = z.strictObject({
  /** `mnist`, `fashion-mnist`, or a path as `starling data add` takes it. */
  set: z.string().min(1).max(4096),
  /** So many training examples, drawn from all. */
  examples: count.optional(),
  /** Part of a path's examples that is kept for the test. */
  test: share.gt(0).lt(1).default(0.2),
  label: z.string().optional(),
  features: z.string().optional(),
  shape: z.string().optional(),
  normalise: z.string().optional(),
  classes: z.string().optional(),
  text: z.string().optional(),
  sequence: z.string().optional(),
  /** Column whose values are clients, or `speaker` in a text of speeches. */
  id: z.string().optional(),
});

/** One run's settings but for its seed: what a file says once its grid is expanded. */
export const settingsSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'expected letters, digits, dots and hyphens: it names files'),
  data: dataSchema,
  clients: count.max(10_000).default(100),
  partition: partitionSchema.prefault({ kind: 'iid' }),
  model: jobFileSchema.shape.model,
  loss: jobFileSchema.shape.loss,
  training: trainingSchema.prefault({}),
  aggregation: aggregationSchema.prefault({}),
  privacy: privacySchema.prefault({}),
  /** Part of the clients that train in a round: C of McMahan et al. 2017. */
  participation: share.gt(0).default(1),
  /** Cells that a round's participants are split into by lot. */
  cells: count.max(1024).default(1),
  attack: attackSchema.optional(),
  /** Clients that do not manage all epochs of a round (Li et al. 2020, §5.2). */
  stragglers: z
    .strictObject({
      fraction: share,
      /** Whether what they managed counts, or they are left out as in plain FedAvg. */
      partial: z.enum(['keep', 'drop']).default('keep'),
    })
    .optional(),
  stop: z.strictObject({
    rounds: count.max(1_000_000),
    /** Ends a run when the test set is classified as well as this. */
    target: z.strictObject({ accuracy: share }).optional(),
    /** Gives a run up after so much work on it. */
    minutes: positive.optional(),
  }),
  /** Rounds between two looks at the test set. */
  testEvery: count.default(1),
  engine: z.enum(['plain', 'secure']).default('plain'),
});
export type Settings = z.infer<typeof settingsSchema>;

/** A value for each dotted key of the grid, in the file's order. */
export type Choices = Readonly<Record<string, unknown>>;

/** One group of runs: the same settings with several seeds. */
export interface Group {
  readonly choices: Choices;
  readonly settings: Settings;
}

export interface Experiment {
  readonly name: string;
  readonly groups: readonly Group[];
  readonly seeds: readonly number[];
}

const seedsSchema = z.array(z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)).min(1).max(1000);
const gridSchema = z.record(z.string(), z.array(z.unknown()).min(1).max(1000));
const GROUPS_MAX = 10_000;

/** A whole file: settings, seeds, and a grid of which every combination is a group. */
export const experimentSchema = z
  .looseObject({ seeds: seedsSchema.default([1]), grid: gridSchema.default({}) })
  .transform((file, context): Experiment => {
    const { seeds, grid, ...base } = file;
    const groups: Group[] = [];
    const sizes = Object.values(grid).map((values) => values.length);
    if (sizes.reduce((product, size) => product * size, 1) > GROUPS_MAX) {
      const message = `makes more than ${GROUPS_MAX} combinations`;
      context.addIssue({ code: 'custom', path: ['grid'], message });
      return z.NEVER;
    }
    for (const choices of product(grid)) {
      const parsed = settingsSchema.safeParse(withChoices(base, choices));
      if (parsed.success) groups.push({ choices, settings: parsed.data });
      else {
        for (const issue of parsed.error.issues) {
          context.issues.push({ ...placed(issue, choices), input: base } as never);
        }
        return z.NEVER;
      }
    }
    return { name: groups[0]!.settings.name, groups, seeds };
  });

/** Every combination of one value for each key. */
function product(grid: Readonly<Record<string, readonly unknown[]>>): readonly Choices[] {
  return Object.entries(grid).reduce<readonly Choices[]>(
    (all, [key, values]) =>
      all.flatMap((choices) => values.map((value) => ({ ...choices, [key]: value }))),
    [{}],
  );
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The file with a value set at each dotted key: a whole map before what is inside it. */
function withChoices(base: Record<string, unknown>, choices: Choices): unknown {
  const copy = structuredClone(base);
  const single = Object.entries(choices).flatMap(([key, value]) => {
    const keys = keysOf(key);
    return keys.map((each, i) => {
      return [each, keys.length > 1 && Array.isArray(value) ? value[i] : value] as const;
    });
  });
  const depth = (key: string) => key.split('.').length;
  for (const [key, value] of single.sort(([a], [b]) => depth(a) - depth(b))) {
    setAt(copy, key, structuredClone(value));
  }
  return copy;
}

/** Keys of the grid that go together: `training.steps, stop.rounds`, each value a list. */
const keysOf = (key: string): readonly string[] => key.split(',').map((part) => part.trim());

function setAt(target: Record<string, unknown>, dotted: string, value: unknown): void {
  const parts = dotted.split('.');
  let map = target;
  for (const part of parts.slice(0, -1)) {
    const inner = map[part];
    map[part] = isMap(inner) ? inner : {};
    map = map[part] as Record<string, unknown>;
  }
  map[parts.at(-1)!] = value;
}

/** A fault in what the grid set stands there, not where the key would have been. */
function placed(issue: z.core.$ZodIssue, choices: Choices): object {
  const isKey = issue.code === 'unrecognized_keys';
  const dotted = [...issue.path, ...(isKey ? issue.keys.slice(0, 1) : [])].join('.');
  const isBelow = (each: string) => dotted === each || dotted.startsWith(`${each}.`);
  const key = Object.keys(choices).find((keys) => keysOf(keys).some(isBelow));
  if (key === undefined) return issue;
  const message = isKey ? `there is no key ${dotted}` : issue.message;
  return { code: 'custom', message, path: ['grid', key] };
}
