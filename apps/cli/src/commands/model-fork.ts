import { utf8 } from '@starling/core';
import type { Command } from 'commander';
import { fileIn, makeOutputFolder, writeOutput } from '../files.ts';
import type { ForkChanges } from '../forked-job.ts';
import { addDaemonCommand, type DaemonOptions, wholeNumber } from '../options.ts';
import { note, print, printJson, shortHash } from '../output.ts';

interface ForkOptions extends DaemonOptions, ForkChanges {
  readonly output: string;
  readonly round?: number;
}

export function registerFork(model: Command): void {
  addDaemonCommand(model, {
    usage: 'fork <model>',
    summary: 'begin a job from a certified round of another: writes its model and a job file',
    examples: [
      'model fork mnist-mlp -o fork',
      "model fork mnist-mlp --round 5 --freeze 'conv*' -o fork",
      'model fork model.onnx --name ward-7 -o fork',
    ],
  })
    .requiredOption(
      '-o, --output <dir>',
      'folder, or s3://bucket/prefix, for job.yaml, model.onnx and its proof',
    )
    .option('--round <n>', 'after this round of the job, the newest unless told', wholeNumber(0))
    .option('--name <name>', "the new job's name (the old one's with -fork)")
    .option('--freeze <patterns...>', 'weights that stay as they are, such as conv*')
    .option('--rounds <n>', 'rounds of the new job (as many as the old one)', wholeNumber(1))
    .action(fork);
}

async function fork(source: string, options: ForkOptions): Promise<void> {
  const { certifiedModel } = await import('../certified-model.ts');
  const origin = await certifiedModel(source, options);
  const { output, json } = options;
  await makeOutputFolder(output);
  const file = fileIn(output, 'job.yaml');
  const { forkedJob } = await import('../forked-job.ts');
  const text = forkedJob(origin, options);
  await writeOutput(fileIn(output, 'model.onnx'), origin.model);
  await writeOutput(fileIn(output, 'model.onnx.proof'), origin.proof);
  await writeOutput(file, utf8(text));
  const round = origin.rounds.length;
  if (json) return printJson({ file, job: origin.job.id, round });
  print(`${file}: from job ${shortHash(origin.job.id)} after round ${round}`);
  note(`Change what shall be different, then \`starling launch ${file}\``);
}
