import type { Job } from '@starling/protocol-rounds';
import type { Guarantee } from '@starling/rounds';
import type { JobHost } from './job-host.ts';
import type { JobReport, JobStanding } from './job-report.ts';
import type { PrivacyGate } from './privacy-gate.ts';

/** A job as the node that knows it keeps it. */
export interface KnownJob {
  readonly job: Job;
  readonly manifest: Uint8Array;
  readonly host: JobHost;
  readonly leave: () => void;
  readonly privacy: PrivacyGate;
  /** What the job promises, once the model is read; undefined for a job without noise. */
  guarantee: Guarantee | undefined;
  /** Settles when the model is read and the owner's earlier decision has been followed. */
  ready: Promise<void>;
  /** Counts decisions: what was begun before the last one has no effect. */
  turn: number;
  standing: JobStanding;
}

export const report = ({ job, standing, guarantee, host }: KnownJob): JobReport => ({
  job,
  standing,
  guarantee,
  phase: host.state.phase.name,
  progress: host.progress,
  chunks: host.session.chunks,
  certificates: host.state.chain,
  isRecovered: host.isRecovered,
  suspects: host.session.suspects,
});

/** @returns whether it stood elsewhere before, or for another reason */
export function stand(known: KnownJob, standing: JobStanding): boolean {
  const isNews = JSON.stringify(standing) !== JSON.stringify(known.standing);
  known.standing = standing;
  return isNews;
}
