import type { Command } from 'commander';
import { guaranteeText } from '../guarantee.ts';
import { addDaemonCommand, type DaemonOptions, wholeNumber } from '../options.ts';
import { note, plural, print, printJson, shortHash } from '../output.ts';

export function registerLaunch(program: Command): void {
  addDaemonCommand(program, {
    usage: 'launch <job-file>',
    summary: 'sign a job and hand it to the swarm; returns when other peers hold it durably',
    examples: ['launch job.yaml', 'launch job.yaml --json'],
  })
    .option('--seed <n>', 'draws the weights of a zoo: model', wholeNumber(0, 2 ** 32 - 1), 0)
    .action(async (file: string, options: DaemonOptions & { seed: number }) => {
      const { readJob } = await import('../job-file.ts');
      const { clientOf } = await import('../client.ts');
      const { job, model } = await readJob(file, options.seed);
      const { trainingWarnings } = await import('@starling/trainer');
      const launched = await clientOf(options).launch(job, model);
      for (const warning of trainingWarnings(model, job.training)) note(warning);
      if (options.json) return printJson({ ...launched, name: job.name });
      print(`launched ${job.name}: job ${launched.job}`);
      note(`${plural(launched.copies, 'other peer holds', 'other peers hold')} it durably`);
      note(`Each participant has: ${guaranteeText(launched.privacy)}`);
      if (launched.copies === 0) note('nobody else is connected yet: keep this daemon running');
      note(`Follow it with \`starling watch ${shortHash(launched.job)}\``);
    });
}
