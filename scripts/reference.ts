/** Writes docs/reference: the keys of job files and of the configuration, and the commands. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobFileSchema } from '@starling/control';
import { parse } from 'yaml';
import { z } from 'zod';
import { createProgram } from '../apps/cli/src/program.ts';
import { commandPage } from '../apps/cli/src/reference/page.ts';
import { describe } from '../apps/cli/src/reference/tree.ts';
import { configSchema } from '../apps/daemon/src/config.ts';
import { type JsonSchema, pageOf, schemaWithWords } from './reference/page.ts';
import { isMain } from './source-text.ts';

const FOLDER = 'docs/reference';
const ROOT = join(import.meta.dirname, '..');

/** The generated files, by their names below docs/reference. */
export function referenceFiles(): ReadonlyMap<string, string> {
  const job = documented(jobFileSchema, 'job-file');
  const configuration = documented(configSchema, 'configuration');
  return new Map([
    ['job-file.md', pageOf('Job file', JOB_FILE, job)],
    ['configuration.md', pageOf('Configuration file', CONFIGURATION, configuration)],
    ['cli.md', commandPage(describe(createProgram()))],
    ['job-file.schema.json', `${JSON.stringify(job, null, 2)}\n`],
    ['configuration.schema.json', `${JSON.stringify(configuration, null, 2)}\n`],
  ]);
}

const editorLine = (file: string) =>
  `An editor that knows JSON Schema completes and checks it with [${file}](${file}).`;

const JOB_FILE = [
  'YAML. What a researcher writes to launch a job: `starling launch JOB.yaml`. An unknown key or a',
  'value out of range is refused with its line and key.',
  editorLine('job-file.schema.json'),
].join(' ');

const CONFIGURATION = [
  'YAML, for a daemon: `starling.yaml` in its state directory, where `starling init` writes it, or',
  '`starling up --config FILE`. Everything has a default that works. The options of `up` go before',
  'the file, and `--trust` adds to its list.',
  editorLine('configuration.schema.json'),
].join(' ');

/** The JSON Schema of what a file may hold, with what each key means. */
function documented(schema: z.ZodType, name: string) {
  const words = parse(readFileSync(join(ROOT, `scripts/reference/${name}.yaml`), 'utf8'));
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return schemaWithWords(json as JsonSchema, words as Record<string, string>);
}

if (isMain(import.meta.url)) {
  mkdirSync(join(ROOT, FOLDER), { recursive: true });
  for (const [name, text] of referenceFiles()) writeFileSync(join(ROOT, FOLDER, name), text);
}
