import { concatBytes, fromHex, utf8 } from '@starling/core';
import { type SigningKey, verify } from '@starling/crypto';
import type { Job } from './manifest.ts';
import { ROUNDS_LABEL } from './version.ts';

const signedBytes = ({ id }: Job): Uint8Array =>
  concatBytes(utf8(`${ROUNDS_LABEL}/cancel`), fromHex(id));

/** The word of a job's launcher that nobody need go on with it; 64 bytes. */
export const signCancel = (job: Job, key: SigningKey): Uint8Array => key.sign(signedBytes(job));

export const isCancelled = (job: Job, signature: Uint8Array): boolean =>
  verify(job.launcher, signedBytes(job), signature);
