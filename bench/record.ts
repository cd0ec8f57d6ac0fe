/**
 * Runs a benchmark of the command line and records what it printed: `npx tsx bench/record.ts NAME`,
 * after `npm run build`.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { pathToFileURL } from 'node:url';

/** Writes `results/NAME.json`: the result, and when, of what and where it was measured. */
export function record(benchmark: string, result: unknown): void {
  const memory = Math.round(totalmem() / 2 ** 30);
  const system = `Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  const whole = {
    benchmark,
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    machine: `${availableParallelism()} shared cores, ${memory} GiB, ${system}`,
    result,
  };
  const file = new URL(`results/${benchmark}.json`, import.meta.url);
  writeFileSync(file, `${JSON.stringify(whole, undefined, 2)}\n`);
}

const [, script, name] = process.argv;
if (name !== undefined && import.meta.url === pathToFileURL(script!).href) {
  const starling = new URL('../apps/cli/bin/starling.js', import.meta.url).pathname;
  const output = execFileSync(process.execPath, [starling, 'bench', name, '--json'], {
    ...{ encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  record(name, JSON.parse(output));
  process.stdout.write(output);
}
