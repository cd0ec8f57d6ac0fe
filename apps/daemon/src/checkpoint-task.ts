import type { JobId } from '@starling/core';
import { openTarget, type Target } from '@starling/storage';
import { modelName, outdated, proofName } from './checkpoint-names.ts';
import type { CheckpointsConfig } from './checkpoints-config.ts';
import { assembleModel, type ModelParts } from './pulled-model.ts';

/** One round's model on its way to the target. */
export interface CheckpointTask {
  readonly config: CheckpointsConfig;
  readonly job: JobId;
  readonly round: number;
  readonly parts: ModelParts;
}

export interface CheckpointOutcome {
  /** False where another peer had written the same model before. */
  readonly isWritten: boolean;
  /** Of model and proof. */
  readonly bytes: number;
  /** Rounds of the job that went, being older than the newest so many. */
  readonly deleted: number;
}

/**
 * Writes a checkpoint and deletes what it makes outdated.
 * @throws ConfigError with cause and next step
 */
export async function runCheckpoint({
  config: { to, keep },
  job,
  round,
  parts,
}: CheckpointTask): Promise<CheckpointOutcome> {
  const target = await openTarget('checkpoints.to', to);
  try {
    const { model, proof } = assembleModel(parts);
    const isWritten = await writeCheckpoint(target, job, round, { model, proof });
    const old = outdated(await target.list(job), keep);
    for (const each of old) {
      await target.delete(modelName(job, each));
      await target.delete(proofName(job, each));
    }
    return { isWritten, bytes: model.length + proof.length, deleted: old.length };
  } finally {
    await target.close();
  }
}

/**
 * A model that is there has its proof: the proof comes first, and of a round that was rolled back
 * the old model goes before. Proofs of one model differ from peer to peer, by whose signatures came
 * in time; the first one stays.
 */
export async function writeCheckpoint(
  target: Target,
  job: JobId,
  round: number,
  { model, proof }: { readonly model: Uint8Array; readonly proof: Uint8Array },
): Promise<boolean> {
  const [file, beside] = [modelName(job, round), proofName(job, round)];
  const isThere = await target.holds(file, model);
  if (isThere && (await target.has(beside))) return false;
  if (!isThere && (await target.has(file))) await target.delete(file);
  await target.put(beside, proof);
  await target.put(file, model);
  return true;
}
