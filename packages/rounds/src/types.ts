import type { BlobHash, Millis, PeerId, RoundId } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import type {
  Certificate,
  CertificateHash,
  Envelope,
  Gossip,
  Job,
  Statement,
} from '@starling/protocol-rounds';
import type {
  AssemblyEvent,
  AssemblyPhase,
  Canary,
  Conviction,
  PhaseName,
  ProtectionName,
  SessionConfig,
  SessionEffect,
  SessionEvent,
  VectorHandle,
} from '@starling/secagg';
import type { Ban } from './bans.ts';
import type { Slot } from './round-id.ts';
import type { TrainingProgress } from './trainer.ts';

/** What fixes one peer's part in one job. */
export interface EngineConfig {
  readonly job: Job;
  readonly key: SigningKey;
  /** How many chunks it owns beside others, 1 to 8; 0 owns none (design decision 14). */
  readonly weight: number;
  readonly protection: ProtectionName;
  /** What its owner asks of a sum that holds this peer's update. */
  readonly veto?: OwnerVeto;
  /**
   * Whether the swarm lets this peer train, as a light peer if it says so; everybody when absent.
   * What it answers may change with time: each peer decides by what it knows.
   */
  readonly mayJoin?: ((peer: PeerId, light: boolean) => boolean) | undefined;
  /** The same of a peer in a certificate from others, at whatever time that was. */
  readonly mayHaveJoined?: ((peer: PeerId) => boolean) | undefined;
  /** A rule switched off to prove that a checker sees it; only the simulator sets it. */
  readonly canary?: EngineCanary | undefined;
}
/** Local veto (design decision 10): asked before masking and before voting. */
export interface OwnerVeto {
  /** Fewest updates in the sum. */
  readonly survivorsMin: number;
  /** Peers whose owners this one trusts, and how many of them must be in the sum, too. */
  readonly trusted: readonly PeerId[];
  readonly trustedMin: number;
}
export type EngineCanary = Canary | 'reuse-update';

/** A trained and quantised update, held by the host. */
export interface Update {
  /** Unique on this peer; names the update in journal and checkers. */
  readonly id: string;
  readonly handle: VectorHandle;
}

export interface SlotMessage {
  readonly slot: Slot;
  readonly event: SessionEvent;
}

export type EngineEvent =
  /**
   * First event; `joined` are the slots this peer JOINed before a restart: it stays out of them.
   */
  | {
      readonly kind: 'start';
      readonly certificates: readonly Certificate[];
      readonly joined: readonly { readonly roundId: RoundId; readonly slot: Slot }[];
      readonly bans: readonly (readonly [PeerId, Ban])[];
      readonly cancelled?: Uint8Array | undefined;
    }
  /** Somebody says that the launcher called the job off; `spread` when it is the launcher. */
  | { readonly kind: 'cancel'; readonly signature: Uint8Array; readonly spread?: boolean }
  /**
   * The launched model is here: vector length with metric coordinates, and the state of round 0.
   */
  | { readonly kind: 'prepared'; readonly vectorLength: number; readonly stateHash: BlobHash }
  /** Consent given or taken away, and data there or not. */
  | { readonly kind: 'participate'; readonly on: boolean }
  | {
      readonly kind: 'trained';
      readonly stateHash: BlobHash;
      readonly update: Update;
      /** 32 fresh random bytes: the seeds of this update's attempts. */
      readonly entropy: Uint8Array;
    }
  | {
      readonly kind: 'train-failed';
      readonly stateHash: BlobHash;
      readonly reason: string;
    }
  | { readonly kind: 'envelopes'; readonly envelopes: readonly Envelope[] }
  /** Canonical evidence against a peer, from whoever passed it on. */
  | { readonly kind: 'evidence'; readonly bytes: Uint8Array }
  | { readonly kind: 'timer'; readonly timer: string }
  | { readonly kind: 'reachable'; readonly peer: PeerId; readonly reachable: boolean }
  /** Something for the running session, named by its slot so that stale answers fall away. */
  | { readonly kind: 'session'; readonly roundId: RoundId; readonly message: SlotMessage }
  /** Something for the assembly of its cells. */
  | {
      readonly kind: 'assembly';
      readonly roundId: RoundId;
      readonly slot: Slot;
      readonly event: AssemblyEvent;
    }
  | {
      readonly kind: 'applied';
      readonly roundId: RoundId;
      readonly stateHash: BlobHash;
      readonly metrics: Statement['metrics'];
      /** Why this peer's owner does not want the new state signed. */
      readonly withheld?: string | undefined;
    }
  /** The opened sum gives no new state: it is out of range, or the state before it is not held. */
  | { readonly kind: 'apply-failed'; readonly roundId: RoundId; readonly reason: string }
  /** How far a peer says it is, and on which branch. */
  | {
      readonly kind: 'head';
      readonly from: PeerId;
      readonly round: number;
      readonly certificate: CertificateHash | null;
    }
  | {
      readonly kind: 'chain';
      readonly from: PeerId;
      readonly certificates: readonly Certificate[];
    }
  | { readonly kind: 'state-fetched'; readonly stateHash: BlobHash }
  | { readonly kind: 'state-missing'; readonly stateHash: BlobHash };

/**
 * Events carry the reading of the local monotonic clock at which they were taken from the queue.
 */
export interface TimedEvent {
  readonly at: Millis;
  readonly event: EngineEvent;
}

export type EngineEffect =
  /** To everybody who follows the job, or to one cell by its digest. */
  | {
      readonly kind: 'gossip';
      readonly message: Gossip;
      readonly cell: Uint8Array | null;
    }
  /** Hears from now on what is said in this cell, until `release`. */
  | { readonly kind: 'listen'; readonly cell: Uint8Array }
  /** Asks `to` for what this peer has not seen of its present round. */
  | {
      readonly kind: 'pull';
      readonly to: PeerId;
      readonly round: number;
      /** Only what was said in this cell. */
      readonly cell: Uint8Array | null;
      /** A Bloom filter of what this peer holds, and the salt of its hashes. */
      readonly salt: number;
      readonly have: Uint8Array;
    }
  | { readonly kind: 'fetch-chain'; readonly to: PeerId; readonly fromRound: number }
  | {
      readonly kind: 'fetch-state';
      readonly stateHash: BlobHash;
      readonly from: readonly PeerId[];
    }
  /** On disk before the next effect is performed. */
  | { readonly kind: 'journal'; readonly key: string; readonly value: string }
  | { readonly kind: 'set-timer'; readonly timer: string; readonly afterMs: number }
  /**
   * Evaluate and train from `stateHash`, clip, quantise; answered by `trained` or `train-failed`.
   */
  | { readonly kind: 'train'; readonly stateHash: BlobHash; readonly round: number }
  /** An effect of the session in `slot`, with what the host needs to perform it. */
  | {
      readonly kind: 'session';
      readonly round: number;
      readonly roundId: RoundId;
      readonly slot: Slot;
      readonly config: SessionConfig;
      readonly effect: Exclude<
        SessionEffect,
        { kind: 'broadcast' | 'set-timer' | 'ended' | 'journal' | 'phase' | 'convict' | 'nominate' }
      >;
    }
  /** Another cell's opened sum, by its hash; answered by an `assembly` event. */
  | {
      readonly kind: 'fetch-cell';
      readonly roundId: RoundId;
      readonly slot: Slot;
      readonly config: SessionConfig;
      readonly cell: number;
      readonly digest: Uint8Array;
      readonly from: readonly PeerId[];
    }
  /** Global model from the opened sums of all cells; answered by `applied`. */
  | {
      readonly kind: 'apply';
      readonly roundId: RoundId;
      readonly slot: Slot;
      /** One for each cell. */
      readonly results: readonly {
        readonly sum: VectorHandle;
        readonly survivors: readonly PeerId[];
      }[];
      readonly stateHash: BlobHash;
      readonly round: number;
    }
  /** The chain from certificate `from` on (0-based) is now this; on disk before what follows. */
  | {
      readonly kind: 'store-chain';
      readonly from: number;
      readonly certificates: readonly Certificate[];
    }
  /** Vectors of this round are no longer needed. */
  | { readonly kind: 'release'; readonly roundId: RoundId }
  | { readonly kind: 'notice'; readonly notice: Notice };

/** What an onlooker may want to know; nothing depends on it. */
export type Notice =
  | { readonly kind: 'training'; readonly round: number }
  /** The host tells it every few seconds of a long training. */
  | ({ readonly kind: 'progress'; readonly round: number } & TrainingProgress)
  | { readonly kind: 'joining'; readonly round: number; readonly slot: Slot }
  | {
      readonly kind: 'waiting';
      readonly round: number;
      readonly joined: number;
      readonly needed: number;
    }
  | {
      readonly kind: 'session';
      readonly round: number;
      readonly slot: Slot;
      readonly roster: readonly PeerId[];
      readonly update: string;
    }
  | {
      readonly kind: 'phase';
      readonly round: number;
      readonly slot: Slot;
      readonly phase: PhaseName | AssemblyPhase;
    }
  | {
      readonly kind: 'sum';
      readonly round: number;
      readonly slot: Slot;
      readonly survivors: readonly PeerId[];
      /** The survivors by cells. */
      readonly cells: readonly (readonly PeerId[])[];
    }
  /** A member provably broke the rules of the aggregation. */
  | {
      readonly kind: 'convicted';
      readonly round: number;
      readonly slot: Slot;
      readonly peer: PeerId;
      readonly reason: Conviction['reason'];
    }
  /** There is proof of it: the peer is in no roster before round `until`. It may be this one. */
  | {
      readonly kind: 'banned';
      readonly peer: PeerId;
      readonly reason: string;
      readonly until: number;
    }
  | {
      readonly kind: 'retry';
      readonly round: number;
      readonly slot: Slot;
      readonly reason: string;
      readonly proven: boolean;
    }
  | {
      readonly kind: 'burnt';
      readonly round: number;
      readonly slot: Slot;
      readonly reason: string;
      readonly update: string;
    }
  /** The new state is not signed here, because its owner's rule is against it. */
  | { readonly kind: 'withheld'; readonly round: number; readonly reason: string }
  | {
      readonly kind: 'certified';
      readonly certificate: Certificate;
      readonly hash: CertificateHash;
      /** Whether this peer took part, or learned of it from others. */
      readonly own: boolean;
    }
  | { readonly kind: 'rolled-back'; readonly toRound: number }
  | { readonly kind: 'refused'; readonly reason: string; readonly peer: PeerId }
  | { readonly kind: 'train-failed'; readonly reason: string }
  | { readonly kind: 'cancelled'; readonly round: number }
  /** No further update of the data set may be given away: this peer only watches from now on. */
  | { readonly kind: 'budget-spent'; readonly round: number; readonly reason: string }
  | { readonly kind: 'finished'; readonly round: number };
