import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { DemoReport } from './run.ts';

const whole = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidArgumentError(`expected a whole number of at least ${least}`);
  }
  return value;
};

const oneOfModels = (text: string): 'mlp' | 'cnn' => {
  if (text !== 'mlp' && text !== 'cnn') throw new InvalidArgumentError('expected mlp or cnn');
  return text;
};

/** `starling demo`: real daemons on loopback train the real MNIST together, and may be killed. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('start real daemons on loopback and train the real MNIST with them')
    .option('--peers <n>', 'daemons to start', whole(3), 5)
    .option('--rounds <n>', 'rounds to train', whole(1), 10)
    .option('--model <name>', 'mlp, or cnn on 6,000 of the 60,000 images', oneOfModels, 'mlp')
    .option('--kill <k>', 'kill so many daemons with SIGKILL, the launcher first', whole(0), 0)
    .option('--kill-together', 'kill them all in one round', false)
    .option('--seed <s>', 'draws weights, split of the data and kills', whole(0), 1)
    .option('--capture <dir>', 'keep masked chunks and plain inputs, to look at')
    .option('--json', 'print one JSON object on standard output', false)
    .addHelpText('after', '\nExample:\n  $ starling demo --peers 5 --rounds 6 --kill 1')
    .action(async (options) => {
      const { runDemo } = await import('./run.ts');
      const progress = (line: string) => process.stderr.write(`${line}\n`);
      const report = await runDemo(options, progress);
      const { table } = await import('./table.ts');
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
      if (!isSound(report)) process.exitCode = 1;
    });
}

/** What every demo must show, whatever was killed. */
const isSound = ({ modelHashesEqual, plain }: DemoReport): boolean =>
  modelHashesEqual && plain.integerSumsEqual;
