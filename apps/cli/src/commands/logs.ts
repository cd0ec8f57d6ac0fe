import { join } from 'node:path';
import type { Command } from 'commander';
import {
  addLocalCommand,
  type JsonOption,
  oneOfWords,
  type StateOption,
  wholeNumber,
} from '../options.ts';

/** As pino numbers them. */
export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export interface LogsOptions extends JsonOption, StateOption {
  readonly follow?: true;
  readonly lines: number;
  readonly level: (typeof LEVELS)[number];
}

export function registerLogs(program: Command): void {
  addLocalCommand(program, {
    usage: 'logs',
    summary: 'show the log of a daemon that was started with --detach',
    examples: ['logs', 'logs -f', 'logs --lines 500 --level warn', 'logs --json'],
  })
    .option('-f, --follow', 'go on as it grows, until Ctrl-C')
    .option('-n, --lines <n>', 'how many of the last lines', wholeNumber(0), 50)
    .option('--level <name>', 'leave out what is below', oneOfWords(LEVELS), 'debug')
    .action(async (options: LogsOptions) => {
      const { stateDirectoryOf } = await import('../client.ts');
      const { showLog } = await import('../log-file.ts');
      await showLog(join(stateDirectoryOf(options), 'daemon.log'), options);
    });
}
