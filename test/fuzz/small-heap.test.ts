/** Foreign models in a process whose heap is small: one that took more would end it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { isFull } from './size.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/fuzz.ts', import.meta.url));
/** What a small device may spare; the memory that a target may take beside it is asserted there. */
const HEAP_MIB = 160;
const EXECUTIONS = isFull ? 50_000 : 300;

test(`no model takes more than a heap of ${HEAP_MIB} MiB`, async () => {
  const args = ['--target', 'autodiff.,onnx.', '--executions', String(EXECUTIONS), '--seed', '11'];
  const { stdout } = await promisify(execFile)(process.execPath, [
    `--max-old-space-size=${HEAP_MIB}`,
    ...['--import', 'tsx', SCRIPT, ...args],
  ]);
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(line).toMatch(/ \d+ executions +\d+ accepted .* 0 broken$/);
});
