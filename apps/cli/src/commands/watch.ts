import { ProtocolError } from '@starling/core';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { LiveLine, print, printJson } from '../output.ts';

export function registerWatch(program: Command): void {
  addDaemonCommand(program, {
    usage: 'watch <job>',
    summary: 'follow a job round by round until it is finished',
    examples: ['watch mnist-mlp', 'watch 3f9a --json'],
  }).action(async (job: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const { Watcher } = await import('../watch-lines.ts');
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
  });
}
