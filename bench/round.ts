/**
 * `starling bench round` from source, and its record in results/round.json: `npx tsx
 * bench/round.ts [--quick]`; a quick run is not recorded.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { round } from '../apps/cli/src/bench/round.ts';

const quick = process.argv.includes('--quick');
const { result } = await round.run({ quick });
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
if (!quick) {
  const memory = Math.round(totalmem() / 2 ** 30);
  const system = `Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  const record = {
    benchmark: 'round',
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    machine: `${availableParallelism()} shared cores, ${memory} GiB, ${system}`,
    result,
  };
  const file = new URL('results/round.json', import.meta.url);
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`);
}
