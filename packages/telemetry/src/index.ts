export { FAMILIES } from './families.ts';
export { health, JOURNAL_SECONDS_MAX, type ReadyFacts, ready, type Verdict } from './health.ts';
export { createLog, LOG_FORMATS, type LogFormat, type ServiceLog, takeWarnings } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { CENSORED, SECRET_KEYS } from './redaction.ts';
export { type RoundSpan, RoundTimeline, type TimelineListener } from './timeline.ts';
export { attemptIdOf, traceIdOf } from './trace-id.ts';
export { createTracing, type Tracing } from './tracing.ts';
export type { JobSample, SwarmSample, TelemetryView } from './view.ts';
