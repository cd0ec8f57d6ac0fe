import type { Tally } from './runner.ts';
import type { Target } from './target.ts';
import { apiTargets } from './targets-api.ts';
import { dataTargets } from './targets-data.ts';
import { fileTargets } from './targets-files.ts';
import { onnxTargets } from './targets-onnx.ts';
import { wireTargets } from './targets-wire.ts';
import { yamlTargets } from './targets-yaml.ts';

export const allTargets = async (): Promise<readonly Target[]> => [
  ...wireTargets(),
  ...fileTargets(),
  ...onnxTargets(),
  ...yamlTargets(),
  ...(await dataTargets()),
  ...(await apiTargets()),
];

/** What a run of one target came to. */
export const line = ({ target, executions, accepted, rare, crashers }: Tally): string =>
  [
    target.padEnd(30),
    `${executions} executions`.padStart(20),
    `${accepted} accepted`.padStart(18),
    `${rare.size} branches`.padStart(14),
    `${crashers.length} broken`.padStart(10),
  ].join('');
