// apps/cli/src/demo/tmp-main.ts
// apps/cli/src/demo/index.ts
import { Command, InvalidArgumentError } from 'commander';

var whole = (least) => (text) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidArgumentError(`expected a whole number of at least ${least}`);
  }
  return value;
};
var oneOfModels = (text) => {
  if (text !== 'mlp' && text !== 'cnn') throw new InvalidArgumentError('expected mlp or cnn');
  return text;
};
function registerDemo(program) {
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
      const { runDemo } = await import('./run-FPWLBM3N.js');
      const progress = (line) =>
        process.stderr.write(`${line}
`);
      const report = await runDemo(options, progress);
      const { table } = await import('./table-MJZDTEPR.js');
      process.stdout.write(
        options.json
          ? `${JSON.stringify(report)}
`
          : table(report),
      );
      if (!isSound(report)) process.exitCode = 1;
    });
}
var isSound = ({ modelHashesEqual, plain }) => modelHashesEqual && plain.integerSumsEqual;

// apps/cli/src/demo/tmp-main.ts
var p = new Command();
registerDemo(p);
await p.parseAsync();
//# sourceMappingURL=starling.js.map
