import { z } from 'zod';

/**
 * Events for other systems, as CloudEvents 1.0 in JSON. They hold what the owner's own screen
 * shows: peer ids, hashes, counts and the metrics of certificates; never data, updates or keys.
 */
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const peer = z.string();
const job = { job: hash, name: z.string() };
const slot = { attempt: count, restarts: count };

/** What each type of event carries in `data`. */
const DATA = {
  'starling.job.standing': z.object({
    ...job,
    launcher: peer,
    /** Null when the job was not known before. */
    from: z.string().nullable(),
    to: z.string(),
    reason: z.string(),
  }),
  'starling.job.training-failed': z.object({ ...job, reason: z.string() }),
  'starling.job.rolled-back': z.object({ ...job, toRound: count }),
  'starling.job.finished': z.object({ ...job, rounds: count, stateHash: hash.nullable() }),
  'starling.job.cancelled': z.object({ ...job, rounds: count, stateHash: hash.nullable() }),
  'starling.round.training': z.object({ ...job, round: count }),
  'starling.round.joining': z.object({ ...job, round: count, ...slot }),
  'starling.round.started': z.object({ ...job, round: count, ...slot, roster: z.array(peer) }),
  'starling.round.phase': z.object({ ...job, round: count, ...slot, phase: z.string() }),
  'starling.round.summed': z.object({ ...job, round: count, ...slot, survivors: z.array(peer) }),
  'starling.round.retried': z.object({
    ...{ ...job, round: count, ...slot, reason: z.string() },
    /** Whether it is proven that the attempt can certify nothing, so that the update stays good. */
    proven: z.boolean(),
  }),
  'starling.round.burnt': z.object({ ...job, round: count, ...slot, reason: z.string() }),
  'starling.round.withheld': z.object({ ...job, round: count, reason: z.string() }),
  'starling.round.certified': z.object({
    ...{ ...job, round: count, ...slot, certificate: hash, stateHash: hash },
    ...{ participants: count, survivors: count, examples: count },
    /** Of the global model before the round; null when nobody had examples to score it on. */
    loss: z.number().nullable(),
    accuracy: z.number().nullable(),
  }),
  'starling.peer.convicted': z.object({ ...job, round: count, ...slot, peer, reason: z.string() }),
  'starling.peer.banned': z.object({ ...job, peer, reason: z.string(), untilRound: count }),
  'starling.privacy.budget-spent': z.object({ ...job, round: count, reason: z.string() }),
  /** Events were dropped because the sink was too far behind. */
  'starling.events.missed': z.object({ missed: count }),
} as const;

export type EventType = keyof typeof DATA;
export const EVENT_TYPES = Object.keys(DATA) as EventType[];

const envelope = {
  specversion: z.literal('1.0'),
  /** Together with `source` the same for every delivery of one event. */
  id: z.string().min(1),
  /** The peer that tells it, as `urn:starling:peer:12D3KooW…`. */
  source: z.string(),
  subject: z.string().optional(),
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  /** The job's id: events of one job keep their order (CloudEvents extension `partitioning`). */
  partitionkey: z.string().optional(),
  /** Grows from event to event of one source (CloudEvents extension `sequence`). */
  sequence: z.string(),
};

const variants = EVENT_TYPES.map((type) =>
  z.object({ ...envelope, type: z.literal(type), data: DATA[type] }),
);

/** Every event, told apart by its `type`. */
export const eventSchema = z.discriminatedUnion(
  'type',
  variants as unknown as readonly [(typeof variants)[number], ...(typeof variants)[number][]],
);

export type EventData<T extends EventType> = z.infer<(typeof DATA)[T]>;

/** What happened, before it has a place in the outbox. */
export type EventBody = {
  [T in EventType]: {
    readonly type: T;
    readonly data: EventData<T>;
    /** The same whenever this is told again; drawn at random when absent. */
    readonly identity?: string;
  };
}[EventType];

export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: EventType;
  readonly subject?: string | undefined;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly partitionkey?: string | undefined;
  readonly sequence: string;
  readonly data: EventBody['data'];
}

/** JSON Schema (2020-12) of `eventSchema`, for the documents and for consumers. */
export const eventJsonSchema = (): Record<string, unknown> => ({
  ...z.toJSONSchema(eventSchema),
  title: 'Starling event',
});
