import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';

interface EventsOptions extends DaemonOptions {
  readonly types?: readonly string[];
  readonly job?: string;
}

export function registerEvents(program: Command): void {
  addDaemonCommand(program, {
    usage: 'events',
    summary: 'follow what happens in all jobs of this daemon, a line for each event',
    examples: ['events', 'events --types certified,finished', 'events --job mnist-mlp --json'],
  })
    .option('--types <kinds>', 'only these, with commas; a kind may end in *', words)
    .option('--job <job>', 'only those of one job')
    .addHelpText('after', KINDS)
    .action(async (options: EventsOptions) => {
      const { followEvents } = await import('../watch/event-lines.ts');
      await followEvents(options, { types: options.types, job: options.job });
    });
}

const KINDS = `
Kinds:
  training, progress, joining, waiting, session, phase, sum   what goes on in a round
  certified, finished, cancelled, rolled-back                 what has become of rounds
  retry, burnt, withheld, refused, convicted, banned          trouble
  budget-spent, train-failed                                  trouble of this peer alone`;

const words = (text: string): readonly string[] =>
  text.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));
