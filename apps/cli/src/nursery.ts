import { spawn } from 'node:child_process';

/** Megabytes; Node's own is 16. */
const NURSERY_MB = 96;
const FLAG = `--max-semi-space-size=${NURSERY_MB}`;

/**
 * Runs this very command again in a process with room for more young objects, and ends as it ends.
 * Messages of a thousand virtual peers outlive a usual nursery and are copied over and over: 7 % of
 * a simulation of 450 peers, and V8 takes the setting at its start only.
 * @returns false in the process that has it already
 */
export async function rerunWithNursery(): Promise<boolean> {
  if (process.execArgv.includes(FLAG)) return false;
  const args = [FLAG, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  // Whoever stops this process means the other.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  process.exitCode = code ?? 1;
  return true;
}
