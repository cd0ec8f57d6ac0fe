/** What the daemon answers. Types alone: the schemas' library must not get into the bundle. */
export type {
  DataSetView,
  GuaranteeView,
  JobEvent,
  JobFileInput,
  JobView,
  LaunchedView,
  LiveRound,
  MemberView,
  NetworkView,
  PrivacyView,
  Pulled,
  Round,
  RoundPhase,
  Status,
  SwarmView,
} from '@starling/control';

import type { JobEvent, LiveRound } from '@starling/control';

/** An event with the round that goes on, null when none does. */
export type WatchedEvent = JobEvent & { readonly live?: LiveRound | null | undefined };

/** A peer as the swarm knows it. */
export interface PeerView {
  readonly peer: string;
  readonly connected: boolean;
  readonly relayed: boolean;
  readonly addresses: readonly string[];
  readonly latencyMs: number | null;
  readonly agent: string | null;
}

/** What a job's manifest says. */
export type ManifestView = Readonly<Record<string, unknown>>;
/** What this peer's owner lets in. */
export type PolicyView = Readonly<Record<string, unknown>>;

/** What a look at files found, and the data set that can be added as it is. */
export interface InspectionView {
  readonly dataset: Readonly<Record<string, unknown>> | null;
  readonly task: string;
  readonly format: string;
  readonly files: number;
  readonly bytes: number;
  readonly examples: number;
  readonly shape: readonly number[];
  readonly target: { readonly kind: string; readonly names?: readonly string[] | null };
  readonly classes: number;
  readonly histogram: readonly number[];
  readonly columns: readonly {
    readonly name: string;
    readonly use: string;
    readonly type: string;
    readonly missing: number;
    readonly min: number | null;
    readonly max: number | null;
    readonly mean: number | null;
  }[];
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}
