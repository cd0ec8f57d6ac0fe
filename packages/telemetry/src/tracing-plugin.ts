import {
  type Attributes,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { errorMessage, type Log, type PeerId } from '@starling/core';
import type { AttemptSpan, PhaseSpan, RoundSpan } from './timeline.ts';
import { attemptIdOf, traceIdOf } from './trace-id.ts';
import type { Tracing, TracingOptions } from './tracing.ts';

const STOP_MS = 2_000;
const EXPORT_MS = 10_000;
/** Of a receiver that is away: what comes after these is dropped. */
const SPANS_WAITING_MAX = 2_048;

/** Only loaded when somebody wants traces: see `createTracing`. */
export function startTracing({ endpoint, self, version, log, delayMs }: TracingOptions): Tracing {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = watched(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS }), log);
  const ids = new GivenIds();
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes({
      ...{ 'service.name': 'starling', 'service.version': version },
      'service.instance.id': self,
    }),
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        maxQueueSize: SPANS_WAITING_MAX,
        exportTimeoutMillis: EXPORT_MS,
        ...(delayMs !== undefined && { scheduledDelayMillis: delayMs }),
      }),
    ],
  });
  const writer = new RoundWriter(provider.getTracer('starling', version), ids, self);
  let stopping: Promise<void> | undefined;
  return {
    listener: { onRound: (round) => writer.write(round) },
    stop: () => {
      stopping ??= inTime(provider.shutdown().catch(() => {}));
      return stopping;
    },
  };
}

/** A receiver that does not answer must not keep the daemon from its end. */
async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_MS);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Ids that follow from the round where they are to, and random ones elsewhere. */
class GivenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  trace: string | undefined;
  span: string | undefined;

  generateTraceId = (): string => this.trace ?? this.#random.generateTraceId();
  generateSpanId = (): string => this.span ?? this.#random.generateSpanId();
}

interface SpanFacts {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  /** Why it failed; undefined when it did not. */
  readonly failure?: string | undefined;
}

/** In the library's own form, since it takes a small number for one since the process began. */
const timeOf = (ms: number): HrTime => [Math.floor(ms / 1000), Math.floor((ms % 1000) * 1e6)];

/** Writes a round when it is over, so that nothing is open when a daemon dies. */
class RoundWriter {
  readonly #tracer;
  readonly #ids: GivenIds;
  readonly #self: PeerId;

  constructor(tracer: ReturnType<BasicTracerProvider['getTracer']>, ids: GivenIds, self: PeerId) {
    this.#tracer = tracer;
    this.#ids = ids;
    this.#self = self;
  }

  write(round: RoundSpan): void {
    this.#ids.trace = traceIdOf(round.job, round.round);
    const root = this.#span({ name: 'round', ...round, attributes: roundAttributes(round) });
    const common = { 'starling.job.id': round.job, 'starling.round': round.round };
    for (const training of round.trainings) this.#phase(training, common, root);
    for (const attempt of round.attempts) this.#attempt(round, attempt, root);
    this.#ids.trace = undefined;
  }

  #attempt({ job, round }: RoundSpan, attempt: AttemptSpan, root: Span): void {
    this.#ids.span = attemptIdOf(job, round, attempt.slot, this.#self);
    const attributes = attemptAttributes(job, round, attempt);
    const { startMs, endMs } = attempt;
    const failure = attempt.outcome === 'burnt' ? (attempt.reason ?? 'burnt') : undefined;
    const span = this.#span({ name: 'attempt', startMs, endMs, attributes, failure }, root);
    for (const phase of attempt.phases) this.#phase(phase, attributes, span);
  }

  #phase({ name, startMs, endMs }: PhaseSpan, attributes: Attributes, parent: Span): void {
    this.#span({ name, startMs, endMs, attributes }, parent);
  }

  #span({ name, startMs, endMs, attributes, failure }: SpanFacts, parent?: Span): Span {
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
    const span = this.#tracer.startSpan(name, { attributes, startTime: timeOf(startMs) }, context);
    this.#ids.span = undefined;
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(timeOf(Math.max(startMs, endMs)));
    return span;
  }
}

const known = (attributes: Readonly<Record<string, string | number | boolean | null>>) =>
  Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== null),
  ) as Attributes;

const roundAttributes = ({ job, round, outcome, own, survivors, attempts }: RoundSpan) =>
  known({
    ...{ 'starling.job.id': job, 'starling.round': round, 'starling.outcome': outcome },
    ...{ 'starling.own': own, 'starling.attempts': attempts.length },
    'starling.survivors': survivors,
  });

const attemptAttributes = (job: string, round: number, attempt: AttemptSpan) =>
  known({
    ...{ 'starling.job.id': job, 'starling.round': round },
    'starling.restarts': attempt.slot.restarts,
    'starling.attempt': attempt.slot.attempt,
    'starling.participants': attempt.participants,
    'starling.survivors': attempt.survivors,
    'starling.outcome': attempt.outcome,
    'starling.reason': attempt.reason,
  });

/** Says once that the receiver is away, and once that it is back. */
function watched(exporter: SpanExporter, log: Log): SpanExporter {
  let isAway = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== 0;
        if (failed && !isAway) {
          const error = errorMessage(result.error ?? new Error('no reason given'));
          log.warn('traces cannot be sent, and are dropped meanwhile', { error });
        }
        if (!failed && isAway) log.info('traces can be sent again');
        isAway = failed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
