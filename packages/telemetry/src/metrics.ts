import type { JobId, PeerId } from '@starling/core';
import type { Notice } from '@starling/rounds';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { NoticeCounters } from './counters.ts';
import { FAMILIES, type Family, type Reading } from './families.ts';
import { ServingMetrics } from './serving-metrics.ts';
import type { TimelineListener } from './timeline.ts';
import type { TelemetryView } from './view.ts';

/** Gauges that are named like counters, which promtool refuses; each has a twin by type. */
const MISNAMED = [
  ...['nodejs_active_handles_total', 'nodejs_active_requests_total'],
  'nodejs_active_resources_total',
] as const;

export interface Metrics {
  readonly contentType: string;
  /** Counts what the node tells. */
  take(job: JobId, notice: Notice): void;
  /** For a `RoundTimeline`. */
  readonly listener: TimelineListener;
  /** Told by models that are served. */
  readonly serving: ServingMetrics;
  /** The exposition of this moment. */
  text(view: TelemetryView): Promise<string>;
}

/** Metrics of one daemon, in the text format of Prometheus. */
export function createMetrics(self: PeerId): Metrics {
  const registry = new Registry();
  const counters = new NoticeCounters(registry, self);
  const serving = new ServingMetrics(registry);
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return {
    contentType: registry.contentType,
    take: (job, notice) => counters.take(job, notice),
    listener: counters,
    serving,
    text: async (view) => `${await registry.metrics()}\n${await viewText(view)}`,
  };
}

/** In a registry of its own, so that what is gone since the last scrape is gone. */
async function viewText(view: TelemetryView): Promise<string> {
  const registry = new Registry();
  for (const family of FAMILIES) add(registry, family, family.read(view));
  return registry.metrics();
}

function add(registry: Registry, { name, help, type }: Family, readings: readonly Reading[]) {
  const first = readings[0];
  if (first === undefined) return;
  const labelNames = typeof first === 'number' ? [] : Object.keys(first[0]);
  const options = { name, help, labelNames, registers: [registry] };
  const metric = type === 'gauge' ? new Gauge(options) : new Counter(options);
  for (const reading of readings) {
    if (typeof reading === 'number') metric.inc(reading);
    else metric.inc(reading[0], reading[1]);
  }
}
