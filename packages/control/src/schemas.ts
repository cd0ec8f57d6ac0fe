import { INPUT_TYPES, LOSS_NAMES, TARGET_KINDS, TARGET_METRICS } from '@starling/protocol-rounds';
import { z } from 'zod';
import { aggregationSchema } from './aggregation-schema.ts';
import { lengthWithin, text } from './lengths.ts';
import { liveRoundSchema } from './live-schema.ts';
import { guaranteeSchema, privacySchema } from './privacy-schema.ts';
import { trainingSchema } from './training-schema.ts';

/**
 * The control API's one source of truth: the server checks requests with these, the client types
 * answers by them. Durations are in seconds, hashes in hex, binary data in base64.
 */
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');
const positive = z.number().positive();
const count = z.number().int().nonnegative();
/** Longest path of any system this runs on. */
const path = text(4096);

/** What a researcher writes into JOB.yaml; keys and defaults are those of the README. */
export const jobFileSchema = z
  .strictObject({
    name: text(128),
    /** Path of an ONNX file beside the job file, or `zoo:NAME`. */
    model: path,
    /** Which of the model's outputs is trained, when it has several. */
    output: text(512).optional(),
    data: z.strictObject({
      task: text(64),
      input: z.strictObject({
        dtype: z.enum(INPUT_TYPES).default('float32'),
        shape: z.array(z.number().int().positive()).refine(...lengthWithin(8, 'dimensions')),
      }),
      /** Unless told numbers without classes, a sequence of int32, else classes. */
      target: z.enum(TARGET_KINDS).optional(),
      classes: count.default(0),
    }),
    loss: z.enum(LOSS_NAMES).default('softmax-cross-entropy'),
    training: trainingSchema.prefault({}),
    aggregation: aggregationSchema.prefault({}),
    privacy: privacySchema.prefault({}),
    admission: z
      .strictObject({
        minPeers: z.number().int().min(3).max(1024).default(3),
        maxPeers: z.number().int().min(3).max(1024).default(64),
        joinWindowSeconds: positive.max(86_400).default(5),
        /** Part of the peers that train in a round, drawn anew in each. */
        participation: positive.max(1).default(1),
      })
      .prefault({}),
    stop: z.strictObject({
      rounds: z.number().int().positive().max(1_000_000),
      /** Ends the job before, when its certificates show this accuracy or loss. */
      target: z
        .strictObject({ metric: z.enum(TARGET_METRICS), value: z.number().nonnegative() })
        .optional(),
      /** Ends the job before, when its rounds took so long, by the clocks of their peers. */
      minutes: positive.max(10_000_000).optional(),
    }),
  })
  .superRefine(({ aggregation, training }, context) => {
    if (aggregation.algorithm !== 'fedprox' || training.proximal > 0) return;
    const message = 'fedprox needs a proximal term above 0, such as 0.01';
    context.addIssue({ code: 'custom', path: ['training', 'proximal'], message });
  });
export type JobFile = z.infer<typeof jobFileSchema>;
/** A job file as it is written: what is absent has its default. */
export type JobFileInput = z.input<typeof jobFileSchema>;

export const launchSchema = z.strictObject({ job: jobFileSchema, model: z.base64() });
export const approveSchema = z.strictObject({ dataset: text(64).optional() });
/** How far a training is that takes longer than seconds. */
export const progressSchema = z.object({
  /** Local steps done, and in all. */
  step: count,
  steps: count,
  examplesPerSecond: z.number(),
  secondsLeft: z.number(),
});
export type Progress = z.infer<typeof progressSchema>;

/** Bytes a second of late and at most, and bytes since the start. */
const pace = z.object({ perSecond: count, max: count.nullable(), total: count });

/** Where events go that leave this daemon for other systems. */
const sinkSchema = z.object({
  ...{ name: z.string(), kind: z.enum(['webhook', 'amqp', 'kafka']), target: z.string() },
  state: z.enum(['waiting', 'delivering', 'retrying', 'off']),
  /** Events that it has not confirmed. */
  ...{ behind: count, delivered: count, setAside: count, missed: count },
  lastError: z.string().nullable(),
});

const checkpointsSchema = z.object({
  ...{ to: z.string(), every: count, keep: count },
  state: z.enum(['waiting', 'writing', 'retrying']),
  /** Rounds since the start: written here, found there already, and so on. */
  ...{ written: count, found: count, failed: count, skipped: count, deleted: count },
  ...{ pending: count, bytes: count },
  last: z.object({ job: hash, round: count, secondsAgo: z.number() }).nullable(),
  lastError: z.string().nullable(),
});

export const statusSchema = z.object({
  peerId: z.string(),
  version: z.string(),
  network: z.string(),
  addresses: z.array(z.string()),
  peers: z.array(z.string()),
  routingTable: count,
  bootstrap: z.array(
    z.object({ address: z.string(), state: z.string(), error: z.string().optional() }),
  ),
  /** What its owner should know about the swarm it is in. */
  warnings: z.array(z.string()),
  jobs: count,
  dataSets: count,
  /** Jobs that train at the moment, and have for some seconds. */
  training: z.array(progressSchema.extend({ job: hash, name: z.string() })),
  uptimeSeconds: z.number(),
  /** How long the daemon's loop was held up: a blocked loop loses its connections. */
  eventLoopDelayMs: z.object({ p99: z.number(), max: z.number() }),
  /** What Starling takes of the machine, beside what its owner lets it have (null for no cap). */
  resources: z.object({
    /** Why it stays out of new rounds; empty when it does not. */
    paused: z.array(z.enum(['hours', 'battery', 'busy', 'memory'])),
    upload: pace,
    download: pace,
    disk: z.object({ bytes: count, max: count, pinned: count, blobs: count, evicted: count }),
    memory: z.object({ bytes: count, max: count.nullable() }),
    hours: z.array(z.string()),
    /** Part of the CPUs that others use; null where it is not known. */
    othersLoad: z.number().nullable(),
    memoryPressure: z.number().nullable(),
    trainer: z.object({ cpuThreads: count, cpuShare: z.number() }),
    /** What the control groups say; null for no limit. */
    container: z.object({ memory: count.nullable(), cpus: z.number().nullable() }),
  }),
  events: z.array(sinkSchema),
  /** Models of certified rounds on their way to where others read them; null where none are. */
  checkpoints: checkpointsSchema.nullable(),
  stateDirectory: z.string(),
  /** Where this API listens over TCP by its configuration; null where it does not. */
  apiUrl: z.string().nullable(),
  pid: count,
});
export type Status = z.infer<typeof statusSchema>;

export const roundSchema = z.object({
  round: count,
  restarts: count,
  attempt: count,
  participants: count,
  survivors: count,
  /** Of the global model before the round, over the survivors' validation splits. */
  loss: z.number().nullable(),
  accuracy: z.number().nullable(),
  examples: count,
  /** The job's own metrics, by name, of the same model and examples. */
  metrics: z.record(z.string(), z.number().nullable()),
  stateHash: hash,
  certificate: hash,
  settled: z.boolean(),
});
export type Round = z.infer<typeof roundSchema>;

const STANDINGS = [
  'waiting-for-approval',
  'refused',
  'no-data',
  'failed',
  'budget-spent',
  'participating',
] as const;

export const jobSchema = z.object({
  id: hash,
  name: z.string(),
  launcher: z.string(),
  standing: z.enum(STANDINGS),
  /** Why the job stands there, or the data set it uses. */
  detail: z.string(),
  phase: z.string(),
  progress: progressSchema.nullable(),
  /** Null for a job without noise, and until its model is read. */
  privacy: guaranteeSchema.nullable(),
  /** The round that goes on here; null when none does. */
  live: liveRoundSchema.nullable(),
  rounds: z.array(roundSchema),
  roundsWanted: count,
  /** How long rounds take of late; null before two are known. */
  secondsPerRound: z.number().nullable(),
  /** Peers that were in cells whose sums somebody spoilt, the likeliest liars first. */
  suspects: z.array(z.object({ peer: z.string(), rounds: count, spoilt: count })),
  stateHash: hash.nullable(),
});
export type JobView = z.infer<typeof jobSchema>;

export const launchedSchema = z.object({
  ...{ job: hash, copies: count, peers: count },
  /** Null for a job without noise. */
  privacy: guaranteeSchema.nullable(),
});
export type LaunchedView = z.infer<typeof launchedSchema>;

/** Whether a model is pulled with this peer's own weights, and after which round. */
export const pullSchema = z.strictObject({
  personal: z.stringbool().default(false),
  /** The newest unless told; 0 is the model as it was launched. */
  round: z.coerce.number().int().min(0).max(1_000_000).optional(),
});
export type PullOptions = z.infer<typeof pullSchema>;
/** The trained model, and what proves where it comes from (base64). */
export const pulledSchema = z.object({ round: count, model: z.string(), proof: z.string() });
export type Pulled = z.infer<typeof pulledSchema>;

/** One line of `watch`: a change in a job. */
export const jobEventSchema = z.object({
  job: hash,
  kind: z.string(),
  round: count.optional(),
  text: z.string(),
  view: jobSchema.optional(),
  /** The round that goes on; null when none does. */
  live: liveRoundSchema.nullable().optional(),
});
export type JobEvent = z.infer<typeof jobEventSchema>;
