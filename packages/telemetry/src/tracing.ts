import { ConfigError, type Log, type PeerId } from '@starling/core';
import type { TimelineListener } from './timeline.ts';

export interface TracingOptions {
  /** Base address of an OTLP receiver, `http://127.0.0.1:4318`; `/v1/traces` is added to it. */
  readonly endpoint: string;
  readonly self: PeerId;
  readonly version: string;
  readonly log: Log;
  /** Between two batches; 5 seconds unless told. */
  readonly delayMs?: number;
}

export interface Tracing {
  /** For a `RoundTimeline`: each round becomes a trace. */
  readonly listener: TimelineListener;
  /** Sends what waits, for two seconds at most, and ends. Never rejects. */
  stop(): Promise<void>;
}

const INSTALL = [
  ...['npm install @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace-base@2.12.0'],
  ...['@opentelemetry/resources@2.12.0 @opentelemetry/exporter-trace-otlp-http@0.223.0'],
].join(' ');

/** How Node and its loaders say that a package is not there. */
const NOT_FOUND: readonly string[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

type Plugin = typeof import('./tracing-plugin.ts');

/**
 * Traces of rounds, sent by OTLP over HTTP. The libraries are loaded here and nowhere else, so that
 * a daemon without traces does not even have them in memory.
 * @param load what loads them; the tests pass one that fails
 * @throws ConfigError when they are not installed
 */
export async function createTracing(
  options: TracingOptions,
  load: () => Promise<Plugin> = () => import('./tracing-plugin.ts'),
): Promise<Tracing> {
  let plugin: Plugin;
  try {
    plugin = await load();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!NOT_FOUND.includes(code)) throw error;
    const message = 'traces need the packages of OpenTelemetry, which are not installed';
    throw new ConfigError('telemetry.otlp', message, `Install them: \`${INSTALL}\``);
  }
  return plugin.startTracing(options);
}
