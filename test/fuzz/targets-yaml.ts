/** Files that a person writes in YAML; every example in the docs is a good input. */
import { readdirSync, readFileSync } from 'node:fs';
import { ConfigError } from '@starling/core';
import { parseJobFile } from '../../apps/cli/src/job-file.ts';
import { configSchema, parseConfig } from '../../apps/daemon/src/config.ts';
import { jobFileSchema } from '../../packages/control/src/schemas.ts';
import { promise, type Target } from './target.ts';

const ROOT = new URL('../../', import.meta.url);
const FILE = 'a.yaml';

/** What the pages show as YAML. */
function examples(): readonly string[] {
  const guides = readdirSync(new URL('docs', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  return ['README.md', ...guides].flatMap((name) =>
    [...readFileSync(new URL(name, ROOT), 'utf8').matchAll(/^ *```ya?ml\n(.*?)^ *```/gms)].map(
      ([, text]) => text!,
    ),
  );
}

function isAccepted(parse: (text: string, file: string) => unknown, text: string): boolean {
  try {
    parse(text, FILE);
    return true;
  } catch {
    return false;
  }
}

/** Whoever wrote the file must find the place: a refusal names the file, mostly line and key. */
const namesPlace = (error: unknown): boolean =>
  error instanceof ConfigError && error.key.startsWith(FILE) && error.message.length > FILE.length;

interface YamlFile<T> {
  readonly name: string;
  readonly parse: (text: string, file: string) => T;
  readonly seeds: readonly string[];
  readonly holds: (parsed: T) => boolean;
}

function yamlTarget<T>({ name, parse, seeds, holds }: YamlFile<T>): Target {
  const shown = examples().filter((text) => isAccepted(parse, text));
  return {
    name,
    format: 'text',
    seeds: [...seeds, ...new Set(shown)].map((text) => new Uint8Array(Buffer.from(text))),
    refuses: namesPlace,
    run: (bytes) => {
      const parsed = parse(Buffer.from(bytes).toString(), FILE);
      promise(holds(parsed), 'what was parsed does not fit the schema');
      promise(!('polluted' in {}), 'a prototype was changed');
      return 'parsed';
    },
  };
}

const CONFIG = [
  'network: home',
  'listen: &here ["/ip4/127.0.0.1/tcp/0"]',
  'announce: *here',
  'policy: {minPeers: 4, privacyBudget: {scans: {epsilon: 8, delta: 1.0e-5}}}',
  'resources:',
  '  upload: 2 MiB/s',
  '  hours: ["22:00-07:00"]',
  '  trainer: {cpuThreads: 2, memory: 2 GiB}',
  'log: debug',
];
const JOB = [
  'name: mnist',
  'model: zoo:mlp',
  'data:',
  '  task: mnist',
  '  input: { dtype: float32, shape: [784] }',
  '  classes: 10',
  'training: { epochs: 1, batchSize: 32, learningRate: 0.1 }',
  'aggregation:',
  '  algorithm: fedavg',
  'admission: {minPeers: 3}',
  'stop: { rounds: 10 }',
];

export const yamlTargets = (): readonly Target[] => [
  yamlTarget({
    name: 'daemon.configFile',
    parse: parseConfig,
    seeds: [CONFIG.join('\n')],
    holds: (config) => configSchema.safeParse(config).success,
  }),
  yamlTarget({
    name: 'cli.jobFile',
    parse: parseJobFile,
    seeds: [JOB.join('\n')],
    holds: (job) => jobFileSchema.safeParse(job).success,
  }),
];
