import type { PrivacyView, ServingView, Status } from '@starling/control';

/** What the metrics of a moment are computed from. */
export interface TelemetryView {
  readonly status: Status;
  readonly swarm: SwarmSample;
  readonly jobs: readonly JobSample[];
  readonly privacy: PrivacyView;
  readonly serving: ServingView;
  /** Of the disk that the state directory is on; null where it cannot be told. */
  readonly filesystem: { readonly freeBytes: number; readonly sizeBytes: number } | null;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
}

export const REACHABILITIES = ['public', 'local', 'unreachable', 'unknown'] as const;

export interface SwarmSample {
  readonly reachability: (typeof REACHABILITIES)[number];
  readonly direct: number;
  readonly relayed: number;
  readonly known: number;
  /** What was refused here since the start, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Peers that do not let this one in. */
  readonly refusedBy: number;
}

export interface JobSample {
  readonly id: string;
  readonly name: string;
  readonly standing: string;
  /** Neither at its end nor cancelled. */
  readonly isRunning: boolean;
  /** Of the round that goes on here; null when none does. */
  readonly phase: string | null;
  readonly roundsWanted: number;
  readonly rounds: number;
  /** Of the last certified round; null before there is one. */
  readonly last: {
    readonly roster: number;
    readonly survivors: number;
    readonly loss: number | null;
    readonly accuracy: number | null;
    readonly examples: number;
  } | null;
  readonly progress: {
    readonly step: number;
    readonly steps: number;
    readonly examplesPerSecond: number;
  } | null;
  /** Or since this daemon took the job up. */
  readonly secondsSinceCertificate: number;
  readonly secondsPerRound: number | null;
}
