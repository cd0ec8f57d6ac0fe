import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WRITER = fileURLToPath(new URL('./children/target-writer.ts', import.meta.url));

/**
 * Runs children/target-writer.ts and kills it with SIGKILL once `isEnough`.
 * @returns the signal that ended it
 */
export async function killWriter(
  args: readonly string[],
  isEnough: (done: number, lines: number) => boolean | Promise<boolean>,
): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (await isEnough(Number(line), ++lines)) child.kill('SIGKILL');
  }
  return (await exit)[1];
}
