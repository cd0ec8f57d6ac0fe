/**
 * Simulated swarms by the thousand: `npm run soak -- [first seed] [last seed]`. Prints a line for
 * every seed that breaks a rule or does not finish, with the command that repeats it.
 */
import { simulate } from '@starling/sim';

const [first = 1, last = 2_000] = process.argv.slice(2).map(Number);
const totals = { seeds: 0, broken: 0, unfinished: 0, crashes: 0, seconds: 0 };
for (let seed = first; seed <= last; seed++) {
  const swarm = {
    peers: 4 + (seed % 21),
    dim: 100 + (seed % 300),
    rounds: 3,
    dropout: [0, 0.05, 0.1, 0.2][seed % 4]!,
    byzantine: [0, 0, 0.2][seed % 3]!,
    seed,
  };
  const report = await simulate(swarm);
  totals.seeds += 1;
  totals.crashes += report.faultsInjected['crash'] ?? 0;
  totals.seconds += report.wallSeconds;
  const flags = Object.entries(swarm).map(([key, value]) => `--${key} ${value}`);
  const again = `starling sim ${flags.join(' ')}`;
  if (report.violations.length > 0) {
    totals.broken += 1;
    process.stdout.write(`${again}\n  ${report.violations.join('\n  ')}\n`);
  } else if (report.roundsFinished < swarm.rounds) {
    totals.unfinished += 1;
    process.stdout.write(`${again}\n  finished ${report.roundsFinished} of ${swarm.rounds}\n`);
  }
}
process.stdout.write(`${JSON.stringify(totals)}\n`);
process.exitCode = totals.broken + totals.unfinished === 0 ? 0 : 1;
