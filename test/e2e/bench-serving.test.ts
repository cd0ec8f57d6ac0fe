import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LAUNCHER = fileURLToPath(new URL('../../apps/cli/bin/starling.js', import.meta.url));
const WAYS = ['plain', 'served', 'servedSingles', 'http', 'httpSingles'];

interface Result {
  readonly model: string;
  readonly rowsPerSecond: Readonly<Record<string, number>>;
  readonly ratioToPlain: Readonly<Record<string, number>>;
  readonly lightLoad: Readonly<
    Record<string, { readonly p99Ms: number; readonly requests: number }>
  >;
}

test('a quick run of the benchmark has every figure for both models', async () => {
  const args = [LAUNCHER, 'bench', 'serving', '--quick', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { results } = JSON.parse(stdout) as { readonly results: readonly Result[] };
  expect(results.map(({ model }) => model)).toEqual(['mlp', 'cnn']);
  for (const { rowsPerSecond, ratioToPlain, lightLoad } of results) {
    for (const way of WAYS) expect(rowsPerSecond[way], way).toBeGreaterThan(0);
    expect(ratioToPlain['plain']).toBe(1);
    for (const way of ['plain', 'served', 'http']) {
      expect(lightLoad[way]!.requests, way).toBeGreaterThan(0);
      expect(lightLoad[way]!.p99Ms, way).toBeGreaterThan(0);
    }
  }
});
