import type { JobId } from '@starling/core';
import type { Certificate, Job } from '@starling/protocol-rounds';
import type { TrainingProgress } from '@starling/rounds';
import type { JobHost } from './job-host.ts';

/** Where a job stands on this node, beyond the engine's phase. */
export type JobStanding =
  | { readonly kind: 'waiting-for-approval'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'no-data'; readonly reasons: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'participating'; readonly dataset: string };

export interface JobReport {
  readonly job: Job;
  readonly standing: JobStanding;
  readonly phase: string;
  /** How far a training is that takes long; undefined when none goes on. */
  readonly progress: TrainingProgress | undefined;
  readonly certificates: readonly Certificate[];
}

export interface JobModel {
  /** The forward ONNX model as launched. */
  readonly model: Uint8Array;
  /** The newest certified state, encoded. */
  readonly state: Uint8Array;
  readonly signed: Uint8Array;
  readonly report: JobReport;
}

export interface Launched {
  readonly job: JobId;
  /** Other peers that hold manifest and model durably. */
  readonly copies: number;
  readonly peers: number;
}

/** How a job is, for people. */
export const report = ({
  job,
  standing,
  host,
}: {
  readonly job: Job;
  readonly standing: JobStanding;
  readonly host: JobHost;
}): JobReport => ({
  job,
  standing,
  phase: host.state.phase.name,
  progress: host.progress,
  certificates: host.state.chain,
});
