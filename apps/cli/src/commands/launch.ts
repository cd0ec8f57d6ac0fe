import type { Command } from 'commander';
import { guaranteeText } from '../guarantee.ts';
import { addDaemonCommand, type DaemonOptions, wholeNumber } from '../options.ts';
import { note, plural, print, printJson, shortHash } from '../output.ts';
import { ProgressLine, whileWaiting } from '../progress.ts';

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
      const launched = await sending(job.name, (progress) =>
        clientOf(options).launch(job, model, progress),
      );
      for (const warning of trainingWarnings(model, job.training)) note(warning);
      if (options.json) return printJson({ ...launched, name: job.name });
      print(`launched ${job.name}: job ${launched.job}`);
      note(`${plural(launched.copies, 'other peer holds', 'other peers hold')} it durably`);
      note(`Each participant has: ${guaranteeText(launched.privacy)}`);
      if (launched.copies === 0) note('nobody else is connected yet: keep this daemon running');
      note(`Follow it with \`starling watch ${shortHash(launched.job)}\``);
    });
}

type Sent = (done: number, total: number) => void;

/** Two parts: the model goes to the daemon, and from there to other peers. */
async function sending<T>(name: string, launch: (progress: Sent) => Promise<T>): Promise<T> {
  const line = new ProgressLine(`sending ${name} to the daemon`);
  let sent: () => void = () => {};
  const isSent = new Promise<void>((resolve) => {
    sent = resolve;
  });
  const launched = launch((done, total) => {
    line.update(done, total);
    if (done === total) sent();
  });
  // Whatever comes first: an error comes before all is sent.
  await Promise.race([isSent, launched]).finally(() => line.end());
  return whileWaiting('waiting until other peers hold it', launched);
}
