import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { DOCUMENTS } from './api-document.ts';

const ROOT = join(import.meta.dirname, '..');

test.each(Object.entries(DOCUMENTS))('%s is what `npm run docs:api` writes', async (file, make) => {
  expect(readFileSync(join(ROOT, file), 'utf8')).toBe(await make());
});

test.each(Object.keys(DOCUMENTS))(
  'the linter finds neither errors nor warnings: %s',
  async (file) => {
    const linter = join(ROOT, 'node_modules/@redocly/cli/bin/cli.js');
    const args = [linter, 'lint', '--format=json', '--config=redocly.yaml', file];
    const env = {
      ...process.env,
      REDOCLY_TELEMETRY: 'off',
      REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
    };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, env });
    const { totals, problems } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
      totals: object;
      problems: readonly object[];
    };
    expect(problems).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0 });
  },
);
