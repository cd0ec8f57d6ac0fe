import type { JobId } from '@starling/core';
import type { Certificate, Job } from '@starling/protocol-rounds';
import type { Guarantee, TrainingProgress } from '@starling/rounds';
import type { ChunkCounts } from './chunk-progress.ts';
import type { Suspect } from './suspicion.ts';

/** Where a job stands on this node, beyond the engine's phase. */
export type JobStanding =
  | { readonly kind: 'waiting-for-approval'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'no-data'; readonly reasons: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Its data set may give nothing more away, or not to a job without noise. */
  | { readonly kind: 'budget-spent'; readonly reason: string }
  | { readonly kind: 'participating'; readonly dataset: string };

/** Of a job whose manifest and model are not read yet, as after a start; another one follows. */
export const NOT_LOOKED_AT: JobStanding = {
  ...{ kind: 'waiting-for-approval', reason: 'not looked at yet' },
};

export interface JobReport {
  readonly job: Job;
  readonly standing: JobStanding;
  readonly guarantee: Guarantee | undefined;
  readonly phase: string;
  /** How far a training is that takes long; undefined when none goes on. */
  readonly progress: TrainingProgress | undefined;
  /** Of the attempt that goes on, or went on last; undefined until it has some. */
  readonly chunks: ChunkCounts | undefined;
  readonly certificates: readonly Certificate[];
  /** Whether the certificates on disk have been read: for a moment after a start they are none. */
  readonly isRecovered: boolean;
  /** Peers that were in cells whose sums somebody spoilt, since this node started. */
  readonly suspects: readonly Suspect[];
}

export interface JobModel {
  /** The forward ONNX model as launched. */
  readonly model: Uint8Array;
  /** After the last of the certificates, encoded. */
  readonly state: Uint8Array;
  /** Up to that state. */
  readonly certificates: readonly Certificate[];
  readonly signed: Uint8Array;
  readonly report: JobReport;
}

export interface Launched {
  readonly job: JobId;
  /** Other peers that hold manifest and model durably. */
  readonly copies: number;
  readonly peers: number;
  readonly guarantee: Guarantee | undefined;
}
