import type {
  BlobStore,
  Clock,
  JobId,
  Journal,
  Log,
  Membership,
  Random,
  Transport,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import type { EngineCanary, Notice, Policy, Slot, Trainer } from '@starling/rounds';
import type { ProtectionName } from '@starling/secagg';
import type { Compute } from './compute.ts';
import type { Wire } from './wire.ts';

/** Everything a node needs from outside; the daemon passes the real ones, the simulator its own. */
export interface NodeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transport: Transport;
  readonly blobs: BlobStore;
  readonly journal: Journal;
  readonly trainer: Trainer;
  readonly compute: Compute;
  readonly key: SigningKey;
  readonly wire: Wire;
  /** Who may train and launch; everybody when absent. */
  readonly members?: Membership;
  /**
   * Sees what no product may show, a peer's own unmasked input. Only the demo and the simulator
   * have one to compare secure sums with plain ones.
   */
  readonly observer?: InputObserver;
}

export interface InputObserver {
  /** This peer's ring input of an attempt, before masking. */
  input(job: JobId, round: number, slot: Slot, words: Uint32Array): void;
  /** The opened sum of an attempt, of all its cells together. */
  sum(job: JobId, round: number, slot: Slot, words: Uint32Array): void;
  /** A packed masked chunk as it leaves this peer. */
  chunk(job: JobId, round: number, bytes: Uint8Array): void;
}

export interface NodeOptions {
  /** How many chunks it owns beside others, 1 to 8; 0 owns none (design decision 14). */
  readonly weight: number;
  readonly protection: ProtectionName;
  readonly canary?: EngineCanary | undefined;
  /** Other peers that must hold a job before `launch` returns; all, if there are fewer. */
  readonly launchCopies: number;
  /** The owner's policy as it is now. */
  readonly policy: () => Policy;
  /** A bug of ours was met: the process must end, and not go on in a state nobody understands. */
  readonly onFatal: (error: unknown) => void;
  readonly onNotice?: (job: JobId, notice: Notice) => void;
  /** A job is known from now on, or stands elsewhere than before. */
  readonly onStanding?: (job: JobId) => void;
}
