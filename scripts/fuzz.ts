/**
 * Fuzzes every decoder: `npm run fuzz -- --seconds N --seed S [--target NAME] [--corpus]`. Prints
 * the executions of each target and keeps what broke one in test/fuzz/corpus/broken; with
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
    target: { type: 'string' },
    corpus: { type: 'boolean', default: false },
  },
});
const targets = allTargets().filter(
  ({ name }) => values.target === undefined || name === values.target,
);
if (targets.length === 0) throw new Error(`no target ${values.target}`);
const secondsEach = Number(values.seconds) / targets.length;
let crashers = 0;
for (const target of targets) {
  const end = performance.now() + 1000 * secondsEach;
  const budget = { executions: Number.POSITIVE_INFINITY, isOver: () => performance.now() > end };
  const tally = fuzz(target, Number(values.seed), budget, corpusOf(target.name));
  process.stdout.write(`${line(tally)}\n`);
  for (const crasher of tally.crashers) {
    crashers += 1;
    process.stdout.write(`${crasher.reason}\n  kept in ${storeCrasher(crasher)}\n`);
  }
  if (values.corpus) storeRare(tally);
}
process.exitCode = crashers === 0 ? 0 : 1;
