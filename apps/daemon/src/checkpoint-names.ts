import type { JobId } from '@starling/core';

/** A round's model below a target; `model verify` wants its proof beside it. */
export const modelName = (job: JobId, round: number): string =>
  `${job}/round-${String(round).padStart(6, '0')}.onnx`;

export const proofName = (job: JobId, round: number): string => `${modelName(job, round)}.proof`;

const NAME = /^round-(\d{6,12})\.onnx(\.proof)?$/;

/**
 * Which rounds' files are too many.
 * @param names what lies in the folder of a job; what does not look like a checkpoint stays
 * @returns rounds, the oldest first
 */
export function outdated(names: readonly string[], keep: number): readonly number[] {
  const found = names.flatMap((name) => {
    const [, round, proof] = NAME.exec(name) ?? [];
    return round === undefined ? [] : [{ round: Number(round), isModel: proof === undefined }];
  });
  const models = found.filter(({ isModel }) => isModel).map(({ round }) => round);
  const oldest = models
    .toSorted((a, b) => b - a)
    .slice(0, keep)
    .at(-1);
  // A proof alone may be of a model that is being written.
  const old = found.filter(({ round }) => oldest !== undefined && round < oldest);
  return [...new Set(old.map(({ round }) => round))].sort((a, b) => a - b);
}
