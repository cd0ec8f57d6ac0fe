export { type BridgeParts, EventBridge } from './bridge.ts';
export { type EventsConfig, eventsConfigSchema } from './config-schema.ts';
export { createSinks, type NamedSink } from './create-sinks.ts';
export {
  type CloudEvent,
  EVENT_TYPES,
  type EventType,
  eventJsonSchema,
  eventSchema,
} from './event-schema.ts';
export type { SeenJob, SeenRound } from './from-job.ts';
export { Outbox } from './outbox.ts';
export type { SinkStatus } from './sink.ts';
export { isSigned, webhookKey } from './sinks/signature.ts';
