import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { apiText, DOCUMENT } from './api-document.ts';

const ROOT = join(import.meta.dirname, '..');

test(`${DOCUMENT} is what \`npm run docs:api\` writes`, async () => {
  expect(readFileSync(join(ROOT, DOCUMENT), 'utf8')).toBe(await apiText());
});

test('its linter finds neither errors nor warnings', async () => {
  const linter = join(ROOT, 'node_modules/@redocly/cli/bin/cli.js');
  const args = [linter, 'lint', '--format=json', '--config=redocly.yaml', DOCUMENT];
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, env });
  const { totals, problems } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    totals: object;
    problems: readonly object[];
  };
  expect(problems).toEqual([]);
  expect(totals).toMatchObject({ errors: 0, warnings: 0 });
});
