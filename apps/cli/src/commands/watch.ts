import { ProtocolError } from '@starling/core';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { LiveLine, print, printJson } from '../output.ts';
import { canRedraw } from '../terminal/style.ts';

interface WatchOptions extends DaemonOptions {
  readonly plain?: true;
}

export function registerWatch(program: Command): void {
  addDaemonCommand(program, {
    usage: 'watch [job]',
    summary: 'follow a job until it is finished, on a screen of its own; without one, all jobs',
    examples: ['watch mnist-mlp', 'watch', 'watch 3f9a --plain', 'watch 3f9a --json'],
  })
    .option('--plain', 'a line for each round, as where standard output is no terminal')
    .addHelpText('after', '\nOn the screen, q or Ctrl-C ends the watching; the job goes on.')
    .action(async (job: string | undefined, options: WatchOptions) => {
      const isOnScreen = !options.json && !options.plain && canRedraw(process.stdout, process.env);
      if (isOnScreen) {
        const { watchJob, watchJobs } = await import('../watch/screens.ts');
        await (job === undefined ? watchJobs(options) : watchJob(job, options));
      } else if (job === undefined) {
        const { followEvents } = await import('../watch/event-lines.ts');
        await followEvents(options, {});
      } else await inLines(job, options);
    });
}

async function inLines(job: string, options: WatchOptions): Promise<void> {
  const { clientOf } = await import('../client.ts');
  const { Watcher } = await import('../watch/lines.ts');
  const watcher = new Watcher();
  const live = new LiveLine();
  const ending = new AbortController();
  for await (const event of clientOf(options).events(job, ending.signal)) {
    const step = watcher.next(event);
    if (options.json) printJson(event);
    else {
      live.clear();
      for (const line of step.lines) print(line);
      if (step.live !== undefined) live.show(step.live);
    }
    if (step.finished) {
      ending.abort();
      return;
    }
  }
  throw new ProtocolError('ended', 'the daemon has ended. `starling up` starts it again');
}
