/**
 * Fuzzes everything that reads: `npm run fuzz -- --seconds N --seed S [--target NAMES] [--corpus]`,
 * or `--executions N` for as many of each. NAMES are beginnings of names, with commas between.
 * Prints the executions of each target and keeps what broke one in test/fuzz/corpus/broken; with
 * `--corpus` it writes the inputs that reach rare branches anew.
 */
import { parseArgs } from 'node:util';
import { corpusOf, storeCrasher, storeRare } from '../test/fuzz/corpus.ts';
import { fuzz } from '../test/fuzz/runner.ts';
import { allTargets, line } from '../test/fuzz/targets.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    executions: { type: 'string' },
    target: { type: 'string', default: '' },
    corpus: { type: 'boolean', default: false },
  },
});
const wanted = values.target.split(',');
const targets = (await allTargets()).filter(({ name }) =>
  wanted.some((each) => name.startsWith(each)),
);
if (targets.length === 0) throw new Error(`no target ${values.target}`);
const secondsEach = Number(values.seconds) / targets.length;
let crashers = 0;
for (const target of targets) {
  const end = performance.now() + 1000 * secondsEach;
  const budget =
    values.executions === undefined
      ? { executions: Number.POSITIVE_INFINITY, isOver: () => performance.now() > end }
      : { executions: Number(values.executions) };
  const tally = await fuzz(target, Number(values.seed), budget, corpusOf(target.name));
  await target.close?.();
  process.stdout.write(`${line(tally)}\n`);
  for (const crasher of tally.crashers) {
    crashers += 1;
    process.stdout.write(
      `${crasher.reason.split('\n').slice(0, 4).join('\n')}\n  kept in ${storeCrasher(crasher)}\n`,
    );
  }
  if (values.corpus) storeRare(tally);
}
process.exitCode = crashers === 0 ? 0 : 1;
