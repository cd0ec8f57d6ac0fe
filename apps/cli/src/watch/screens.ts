import type { JobView, Status } from '@starling/control';
import { ProtocolError } from '@starling/core';
import { clientOf } from '../client.ts';
import type { DaemonOptions } from '../options.ts';
import { decimal, percent, plural, print, shortHash } from '../output.ts';
import { oneLine } from '../table.ts';
import { jobScreen } from './job-screen.ts';
import { JobWatch } from './job-watch.ts';
import { jobsScreen } from './jobs-screen.ts';
import { onScreen } from './on-screen.ts';

/** One job on the whole terminal, until it has ended. */
export async function watchJob(name: string, options: DaemonOptions): Promise<void> {
  const client = clientOf(options);
  const watch = new JobWatch(await client.job(name));
  const { id } = watch.view;
  await onScreen({
    render: (look) => jobScreen(watch, Date.now(), look),
    poll: async () => {
      const [view, status, privacy] = await Promise.all([
        client.job(id),
        client.status(),
        client.privacy(),
      ]);
      Object.assign(watch, { view, status, privacy });
    },
    follow: async (signal, changed) => {
      for await (const event of client.events(id, signal)) {
        watch.take(event, Date.now());
        if (watch.isFinished) return;
        changed();
      }
      if (!signal.aborted) throw daemonEnded();
    },
  });
  if (watch.isFinished) print(summaryOf(watch.view));
}

/** All jobs of the daemon, one line each, until the reader has seen enough. */
export async function watchJobs(options: DaemonOptions): Promise<void> {
  const client = clientOf(options);
  let jobs: readonly JobView[] = await client.jobs();
  let status: Status | null = null;
  await onScreen({
    render: (look) => jobsScreen(jobs, status, look),
    poll: async () => {
      [jobs, status] = await Promise.all([client.jobs(), client.status()]);
    },
    follow: async (signal, changed) => {
      for await (const { job, view, live } of client.allEvents(signal)) {
        jobs = jobs.map((each) =>
          each.id === job ? { ...(view ?? each), live: live ?? null } : each,
        );
        changed();
      }
      if (!signal.aborted) throw daemonEnded();
    },
  });
}

const daemonEnded = (): ProtocolError =>
  new ProtocolError('ended', 'the daemon has ended. `starling up` starts it again');

/** The last line of a job that has ended. */
export function summaryOf({ id, name, phase, rounds }: JobView): string {
  const last = rounds.at(-1);
  const figures =
    last === undefined
      ? []
      : [`loss ${decimal(last.loss)}`, `accuracy ${percent(last.accuracy)} before the last`];
  const after = `${phase} after ${plural(rounds.length, 'round')}`;
  return [`${oneLine(name)} (${shortHash(id)}): ${after}`, ...figures].join(', ');
}
