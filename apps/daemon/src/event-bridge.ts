import { join } from 'node:path';
import type { JobId, Log, PeerId } from '@starling/core';
import {
  createSinks,
  EventBridge,
  type EventsConfig,
  Outbox,
  type SeenJob,
  type SinkStatus,
} from '@starling/events';
import { type JobReport, NOT_LOOKED_AT, type StarlingNode } from '@starling/node';
import type { Notice } from '@starling/rounds';
import { LevelJournal } from '@starling/store';
import { systemClock, systemRandom } from './ports.ts';
import { certificateView, detailOf } from './views.ts';

export interface EventsParts {
  readonly config: EventsConfig;
  readonly stateDirectory: string;
  readonly self: PeerId;
  readonly node: StarlingNode;
  readonly log: Log;
}

/** Events of one daemon on their way to other systems. */
export interface Events {
  take(job: JobId, notice: Notice): void;
  status(): readonly SinkStatus[];
  stop(): Promise<void>;
}

const NO_EVENTS: Events = { take: () => {}, status: () => [], stop: async () => {} };

/**
 * Starts the bridge to the sinks of the configuration; without any nothing is kept. The outbox has
 * a journal of its own, so that its comings and goings do not slow down what rounds write.
 * @throws ConfigError for a secret that cannot be had
 */
export async function startEvents(parts: EventsParts): Promise<Events> {
  const { config, stateDirectory, self, node, log } = parts;
  const now = () => Date.now();
  const sinks = createSinks(config, { now, environment: process.env });
  if (sinks.length === 0) return NO_EVENTS;
  const journal = await LevelJournal.open(join(stateDirectory, 'events'));
  const bridge = new EventBridge({
    ...{ self, sinks, log, now, clock: systemClock, random: systemRandom },
    outbox: await Outbox.open(journal),
    jobs: () => seenJobs(node.jobs()),
  });
  await bridge.start();
  return {
    take(job, notice) {
      const name = node.job(job)?.job.manifest.name ?? '';
      bridge.take({ job, name }, notice);
    },
    status: () => bridge.status(),
    async stop() {
      await bridge.stop();
      await journal.close();
    },
  };
}

/** A chain that is not read yet would look as if it had been rolled back. */
export const seenJobs = (reports: readonly JobReport[]): readonly SeenJob[] =>
  reports.filter(({ isRecovered }) => isRecovered).map(seenJob);

function seenJob({ job, standing, phase, certificates }: JobReport): SeenJob {
  return {
    ...{ job: job.id, name: job.manifest.name, launcher: job.launcher, phase },
    standing: standing === NOT_LOOKED_AT ? null : standing.kind,
    ...{ detail: detailOf(standing), length: certificates.length },
    at: (index) => certificateView(certificates[index]!, job.manifest),
  };
}
