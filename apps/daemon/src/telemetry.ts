import { statfs } from 'node:fs/promises';
import type { ControlHandlers } from '@starling/control';
import { errorMessage, type JobId, type Journal, type Log, type PeerId } from '@starling/core';
import type { JobReport, StarlingNode } from '@starling/node';
import { type Notice, survivorCount } from '@starling/rounds';
import type { Swarm } from '@starling/swarm';
import {
  createMetrics,
  createTracing,
  health,
  JOURNAL_SECONDS_MAX,
  type JobSample,
  type Metrics,
  RoundTimeline,
  ready,
  type SwarmSample,
  type TelemetryView,
  type Tracing,
  type Verdict,
} from '@starling/telemetry';
import type { Config } from './config.ts';
import type { LiveRounds } from './live-rounds.ts';
import { VERSION } from './version.ts';

export interface TelemetryParts {
  readonly node: Pick<StarlingNode, 'jobs'>;
  readonly swarm: Pick<Swarm, 'status'>;
  readonly lives: LiveRounds;
  readonly journal: Pick<Journal, 'put'>;
  readonly state: { readonly path: string };
}

interface TelemetrySource extends TelemetryParts {
  readonly handlers: Pick<ControlHandlers, 'status' | 'privacy' | 'serving' | 'swarm'>;
}

interface Opening {
  readonly config: Config;
  readonly log: Log;
  readonly self: PeerId;
}

/** How long what was found out about the journal counts for whoever asks again. */
const PROBE_MS = 10_000;
const PROBE_KEY = 'probe';

/** Milliseconds since 1970 that no change of the clock sets back while the daemon runs. */
const now = (): number => performance.timeOrigin + performance.now();

/** Metrics, traces and health of one daemon. */
export class DaemonTelemetry {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #tracing: Tracing | undefined;
  readonly #timeline: RoundTimeline;
  /** When a job's last certificate came, or the job was first seen. */
  readonly #since = new Map<string, number>();
  #probe: { readonly at: number; readonly seconds: Promise<number | null> } | undefined;

  private constructor({ log, self }: Opening, tracing: Tracing | undefined) {
    this.#log = log;
    this.#metrics = createMetrics(self);
    this.#tracing = tracing;
    const listeners = [this.#metrics.listener, ...(tracing ? [tracing.listener] : [])];
    this.#timeline = new RoundTimeline(listeners);
  }

  /** @throws ConfigError when traces are wanted and cannot be made */
  static async open(opening: Opening): Promise<DaemonTelemetry> {
    const { config, log, self } = opening;
    const { otlp } = config.telemetry;
    const tracing = otlp && (await createTracing({ ...otlp, log, self, version: VERSION }));
    return new DaemonTelemetry(opening, tracing);
  }

  /** Told by models that are served. */
  get serving(): Metrics['serving'] {
    return this.#metrics.serving;
  }

  readonly take = (job: JobId, notice: Notice): void => {
    if (notice.kind === 'certified') this.#since.set(job, now());
    this.#metrics.take(job, notice);
    this.#timeline.take(job, notice, now());
  };

  /** The API's handlers, and what it is to answer about how this daemon does. */
  withTelemetry(handlers: ControlHandlers, parts: TelemetryParts) {
    const source = { ...parts, handlers };
    const { contentType } = this.#metrics;
    return {
      ...handlers,
      metrics: async () => ({
        contentType,
        body: await this.#metrics.text(await this.#view(source)),
      }),
      health: async (): Promise<Verdict> => health(await this.#journalSeconds(source.journal)),
      ready: async (): Promise<Verdict> => {
        const [status, { standing }] = await Promise.all([
          source.handlers.status(),
          source.handlers.swarm.show(),
        ]);
        return ready({ ...status, standing });
      },
    };
  }

  stop(): Promise<void> {
    return this.#tracing?.stop() ?? Promise.resolve();
  }

  async #view({ node, swarm, lives, handlers, state }: TelemetrySource) {
    const [status, privacy, serving, filesystem] = await Promise.all([
      handlers.status(),
      handlers.privacy(),
      handlers.serving.list(),
      filesystemOf(state.path),
    ]);
    const jobs = node.jobs().map((report) => this.#jobSample(report, lives));
    const view: TelemetryView = {
      ...{ status, privacy, serving, filesystem, jobs, now: Date.now() },
      swarm: swarmSample(swarm),
    };
    return view;
  }

  #jobSample(report: JobReport, lives: LiveRounds): JobSample {
    const { job, standing, phase, certificates, progress } = report;
    const since = this.#since.get(job.id) ?? now();
    this.#since.set(job.id, since);
    return {
      ...{ id: job.id, name: job.manifest.name, standing: standing.kind },
      isRunning: phase !== 'finished' && phase !== 'cancelled',
      phase: lives.live(job.id)?.phase ?? null,
      roundsWanted: job.manifest.stop.rounds,
      rounds: certificates.length,
      last: lastRound(certificates),
      progress: progress ?? null,
      secondsSinceCertificate: (now() - since) / 1000,
      secondsPerRound: lives.secondsPerRound(job.id),
    };
  }

  /** Writes only when asked, and then not more than once in ten seconds. */
  #journalSeconds(journal: TelemetrySource['journal']): Promise<number | null> {
    const at = performance.now();
    if (this.#probe === undefined || at - this.#probe.at > PROBE_MS) {
      this.#probe = { at, seconds: this.#write(journal) };
    }
    return this.#probe.seconds;
  }

  async #write(journal: TelemetrySource['journal']): Promise<number | null> {
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<number>((resolve) => {
      timer = setTimeout(() => resolve(seconds()), 1000 * JOURNAL_SECONDS_MAX + 1);
    });
    try {
      return await Promise.race([journal.put(PROBE_KEY, new Uint8Array(1)).then(seconds), late]);
    } catch (error) {
      this.#log.error('the journal cannot be written', { error: errorMessage(error) });
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}

function lastRound(certificates: JobReport['certificates']): JobSample['last'] {
  const statement = certificates.at(-1)?.statement;
  if (statement === undefined) return null;
  const { lossSum, correct, examples } = statement.metrics;
  return {
    roster: statement.roster.length,
    survivors: survivorCount(statement),
    loss: examples === 0 ? null : lossSum / examples,
    accuracy: examples === 0 ? null : correct / examples,
    examples,
  };
}

function swarmSample(swarm: TelemetrySource['swarm']): SwarmSample {
  const { connections, knownPeers, reachability, refused, refusedBy } = swarm.status();
  const direct = new Set(connections.filter((each) => !each.relayed).map(({ peer }) => peer));
  const peers = new Set(connections.map(({ peer }) => peer));
  return {
    ...{ reachability, refused, known: knownPeers, refusedBy: refusedBy.length },
    ...{ direct: direct.size, relayed: peers.size - direct.size },
  };
}

/** Null where the system does not say. */
async function filesystemOf(directory: string): Promise<TelemetryView['filesystem']> {
  try {
    const { bsize, bavail, blocks } = await statfs(directory);
    return { freeBytes: bsize * bavail, sizeBytes: bsize * blocks };
  } catch {
    return null;
  }
}
