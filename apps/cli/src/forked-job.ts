import { jobFileOf, jobFileSchema, leanJobFile } from '@starling/control';
import { stringify } from 'yaml';
import type { CertifiedModel } from './certified-model.ts';

/** What a fork does otherwise. */
export interface ForkChanges {
  readonly name?: string;
  /** Patterns of weights that stay as they are, beside those that did before. */
  readonly freeze?: readonly string[];
  readonly rounds?: number;
}

/** The text of a job file beside which lies `model.onnx`, the certified model. */
export function forkedJob({ job, rounds }: CertifiedModel, options: ForkChanges): string {
  const { manifest } = job;
  const before = jobFileOf(manifest, 'model.onnx');
  const { training, stop } = before;
  const parsed = jobFileSchema.parse({
    ...before,
    name: options.name ?? forkName(manifest.name),
    training: {
      ...training,
      frozen: [...new Set([...training.frozen, ...(options.freeze ?? [])])],
    },
    stop: { ...stop, rounds: options.rounds ?? stop.rounds },
  });
  const origin = [
    `# Forked from "${manifest.name}", job ${job.id},`,
    `# after round ${rounds.length}; model.onnx.proof proves it.`,
  ];
  return `${origin.join('\n')}\n${stringify(leanJobFile(parsed))}`;
}

const NAME_MAX = 128;
const forkName = (name: string): string => `${name.slice(0, NAME_MAX - '-fork'.length)}-fork`;
