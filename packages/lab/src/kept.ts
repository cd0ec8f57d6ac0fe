import type { JobFile } from '@starling/control';
import type { BlobHash, JobId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { correctionOf, decodeState, type JobCodec } from '@starling/federation';
import { publicSeedOf } from '@starling/rounds';

/** What a client keeps from round to round, as a peer keeps it on its disk. */
export interface Keepsakes {
  /** SCAFFOLD's cᵢ, [parameters]. */
  readonly own?: Float32Array | undefined;
  /** Of error feedback, [parameters]. */
  readonly residual?: Float32Array | undefined;
}

/** Whether clients of a job keep anything from round to round. */
export const keepsThings = ({ algorithm, errorFeedback }: Aggregated): boolean =>
  algorithm === 'scaffold' || errorFeedback;

type Aggregated = Pick<JobFile['aggregation'], 'algorithm' | 'errorFeedback'>;

/** What all clients of a run keep, in memory. */
export class Kept {
  readonly #codec: JobCodec;
  readonly #clients = new Map<number, Keepsakes>();

  constructor(codec: JobCodec) {
    this.#codec = codec;
  }

  /** SCAFFOLD's c − cᵢ for a client's training from this state; nothing in other jobs. */
  correction(state: Uint8Array, client: number): Float32Array | undefined {
    if (this.#codec.optimizer.kind !== 'scaffold') return undefined;
    return correctionOf(decodeState(state), this.#clients.get(client)?.own);
  }

  residual(client: number): Float32Array | undefined {
    return this.#clients.get(client)?.residual;
  }

  /** Takes over what a client's update left: every update counts here. */
  keep(client: number, left: Keepsakes): void {
    if (left.own !== undefined || left.residual !== undefined) this.#clients.set(client, left);
  }
}

/** Of virtual clients' rounds, which have no job id. */
const NO_JOB = '00'.repeat(32) as JobId;

/** What all peers of a round derive the same from. */
export const roundSeedOf = (state: Uint8Array): Uint8Array =>
  publicSeedOf(NO_JOB, hashHex(state) as BlobHash);
