import { ConfigError, ProtocolError } from '@starling/core';
import type { VerifiedRound } from '@starling/models';
import type { Job } from '@starling/protocol-rounds';
import { isObjectUrl } from '@starling/storage';
import { inputExists, readInput } from './files.ts';
import type { DaemonOptions } from './options.ts';

/** A model, and the job and rounds that its proof proves. */
export interface CertifiedModel {
  readonly model: Uint8Array;
  readonly proof: Uint8Array;
  readonly job: Job;
  readonly rounds: readonly VerifiedRound[];
}

/**
 * A model with what proves where it comes from: a file here with FILE.proof beside it, or a job of
 * the daemon.
 * @param round of a job, the newest unless told
 * @throws ConfigError where there is none; ProtocolError where the proof does not hold
 */
export async function certifiedModel(
  source: string,
  options: DaemonOptions & { readonly round?: number | undefined },
): Promise<CertifiedModel> {
  const { model, proof } = (await isFile(source))
    ? await fromFile(source, options.round)
    : await fromDaemon(source, options);
  const { verifyModel } = await import('@starling/models');
  const { ok, fault, job, rounds } = verifyModel(model, proof);
  if (ok && job !== undefined) return { model, proof, job, rounds };
  throw new ProtocolError('proof', `${source}: ${fault ?? 'the proof names no job'}`);
}

/** What is named as an object is one, also where it is missing. */
const isFile = async (source: string): Promise<boolean> =>
  isObjectUrl(source) || inputExists('model', source);

async function fromFile(path: string, round: number | undefined) {
  if (round !== undefined) {
    const what = `${path} is a model of one round`;
    throw new ConfigError('round', what, 'Name a job for another, or leave --round away');
  }
  const model = await readInput('model', path);
  if (await inputExists('proof', `${path}.proof`)) {
    return { model, proof: await readInput('proof', `${path}.proof`) };
  }
  const hint = '`starling model pull JOB -o FILE` writes both';
  throw new ConfigError('model', `no ${path}.proof lies beside ${path}`, hint);
}

async function fromDaemon(
  job: string,
  { round, ...options }: DaemonOptions & { readonly round?: number | undefined },
) {
  const { clientOf } = await import('./client.ts');
  const pulled = await clientOf(options).pull(job, { round });
  return { model: Buffer.from(pulled.model, 'base64'), proof: Buffer.from(pulled.proof, 'base64') };
}
