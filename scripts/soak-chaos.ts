/**
 * Real daemons to which everything happens at once: `npm run soak -- chaos [minutes] [daemons]
 * [seed]`, 10 minutes of 10 unless told. As root on Linux; what is missing is installed or named.
 * Writes `bench/results/chaos.json`; exit code 1 when a rule was broken.
 */
import { record } from '../bench/record.ts';
import { missingForChaos } from '../test/chaos/machine.ts';
import { runChaos } from '../test/chaos/run.ts';

const [minutes = 10, daemons = 10, seed = 1] = process.argv.slice(3).map(Number);
const started = performance.now();
const say = (text: string) => {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stderr.write(`${seconds} s: ${text}\n`);
};

const missing = missingForChaos();
if (missing !== undefined) {
  process.stderr.write(`soak: no chaos here: ${missing}\n`);
  process.exitCode = 2;
} else {
  const report = await runChaos({ daemons, seconds: minutes * 60, seed, revokes: true, say });
  record('chaos', report);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.violations.length === 0 ? 0 : 1;
}
