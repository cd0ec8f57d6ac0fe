import type { PeerId } from '@starling/core';
import type { Secret } from '@starling/crypto';
import type { CellEntry, Hello, SecaggMessage } from '@starling/protocol-secagg';
import type { MaskTerm } from './ring/index.ts';

/** Name of a vector that the host holds; the session never sees its words. */
export type VectorHandle = string;

/** How a vector of the job is cut and packed; the same for all members. */
export interface RingShape {
  /** Coordinates of the vector. */
  readonly length: number;
  /** Ring modulus 2^bits. */
  readonly bits: number;
  /** Largest honest coordinate, 2^v − 1. */
  readonly coordinateMax: number;
  /** Packed bytes of one chunk, at most. */
  readonly chunkBytes: number;
}

export interface SessionTimers {
  /** How long a phase waits for the slowest member. */
  readonly phaseMs: number;
  /** First timeout of a step of a decision; later views wait longer. */
  readonly decideMs: number;
}

export interface Member {
  readonly peer: PeerId;
  readonly hello: Hello;
  /** How many chunks it owns beside others; a light one, of weight 0, contributes and owns none. */
  readonly weight: number;
}

/**
 * Who masks with whom and holds whose shares, when not everybody does: the wide mode's k-regular
 * graph (Bell et al. 2020). Spec §11.
 */
export interface MaskGraph {
  /** Neighbours of each member, ascending. */
  readonly neighbours: readonly (readonly number[])[];
  /** Shares that open a secret, and surviving neighbours that each survivor must have. */
  readonly shareThreshold: number;
}

/** What this peer asks of an aggregation beyond the protocol's own minimum (design decision 10). */
export interface Veto {
  /** Fewest inputs in a sum that holds this peer's. */
  readonly survivorsMin: number;
  /** Members that this peer trusts, and how many of them must be among the survivors. */
  readonly trusted: ReadonlySet<number>;
  readonly trustedMin: number;
}

/**
 * What fixes one cell's aggregation in one attempt. All members derive the same, but for `self…`.
 */
export interface SessionConfig {
  readonly roundId: Uint8Array;
  readonly attempt: number;
  /** The roster in order of peer ids; `self` is an index into it. */
  readonly members: readonly Member[];
  readonly rosterDigest: Uint8Array;
  readonly self: number;
  /** Hash of the model and of the codec: inside every mask seed, so two models never mix. */
  readonly context: Uint8Array;
  readonly shape: RingShape;
  /** Owners of each chunk. */
  readonly replication: number;
  readonly timers: SessionTimers;
  /** 32 random bytes of this peer for this attempt; every key of the session derives from it. */
  readonly seed: Secret;
  /** This peer's quantised update. */
  readonly input: VectorHandle;
  readonly protection: ProtectionName;
  readonly unmasking: UnmaskingName;
  /** The complete graph when absent. */
  readonly graph?: MaskGraph;
  readonly veto?: Veto;
  /**
   * One of many cells: what it decided is opened only after the whole roster has confirmed it
   * (`confirmed`). Spec §10.
   */
  readonly isCell?: boolean;
  /** A rule switched off to prove that the checkers see it; only the simulator sets it. */
  readonly canary?: Canary;
}

/** `none` adds in the clear: for tests of the layers above, never reachable from a manifest. */
export type ProtectionName = 'double-masking' | 'none';
/**
 * Who verifies and unmasks a chunk's sum: every member all of them, or a few drawn for each chunk,
 * whom the others believe when they agree. Spec §5.10.
 */
export type UnmaskingName = 'local' | 'shared';
export type Canary = 'never-both';

export type PhaseName = 'shares' | 'chunks' | 'decide' | 'sums' | 'unmask' | 'verify' | 'ended';

export type SessionEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'messages'; readonly messages: readonly ReceivedMessage[] }
  | { readonly kind: 'timer'; readonly timer: string }
  /** The transport lost or regained a member: a hint that ends waiting, never a vote. */
  | { readonly kind: 'reachable'; readonly member: number; readonly reachable: boolean }
  | { readonly kind: 'masked'; readonly chunkHashes: readonly Uint8Array[] }
  /** A masked chunk that its contributor sent, or that an owner opened. */
  | {
      readonly kind: 'chunk-received';
      readonly from: number;
      readonly chunk: number;
      readonly hash: Uint8Array;
      readonly proof: readonly Uint8Array[];
    }
  | { readonly kind: 'chunk-missing'; readonly from: number; readonly chunk: number }
  | { readonly kind: 'summed'; readonly sums: readonly ChunkSum[] }
  | { readonly kind: 'sum-fetched'; readonly chunk: number; readonly hash: Uint8Array }
  | { readonly kind: 'sum-missing'; readonly chunk: number; readonly hash: Uint8Array }
  | { readonly kind: 'sums-tagged'; readonly tags: readonly (ChunkSum & Tagged)[] }
  | {
      readonly kind: 'chunks-tagged';
      readonly tags: readonly (ChunkOf & Tagged)[];
    }
  /** Masks removed from single chunks. */
  | { readonly kind: 'chunks-unmasked'; readonly sums: readonly ChunkSum[] }
  | { readonly kind: 'plain-fetched'; readonly chunk: number; readonly hash: Uint8Array }
  | { readonly kind: 'plain-missing'; readonly chunk: number; readonly hash: Uint8Array }
  | {
      readonly kind: 'unmasked';
      readonly result: VectorHandle;
      readonly inRange: boolean;
      /** Of a cell, whose result others fetch: SHA-256 of the words packed in the ring's bits. */
      readonly digest?: Uint8Array | undefined;
    }
  /** The roster decided which U of this cell may be opened; null when it is left out. */
  | { readonly kind: 'confirmed'; readonly digest: Uint8Array | null };

export interface ReceivedMessage {
  readonly from: number;
  readonly message: SecaggMessage;
}
/** A masked chunk of one member. */
export interface ChunkOf {
  readonly chunk: number;
  readonly of: number;
}
interface Tagged {
  /** 32 bytes, see ring/tags.ts. */
  readonly tag: Uint8Array;
}

export interface ChunkSum {
  readonly chunk: number;
  readonly hash: Uint8Array;
}

/** Facts that must be on disk before what follows them is sent. */
export type SessionRecord =
  | { readonly kind: 'entered' }
  | { readonly kind: 'masked' }
  | { readonly kind: 'vote'; readonly slot: string; readonly value: string }
  | { readonly kind: 'abandon' }
  | { readonly kind: 'reveal'; readonly survivors: Uint8Array };

export type SessionCompute =
  /** `input` + Σ terms, reduced to the ring, packed and cut; answered by `masked`. */
  | { readonly task: 'mask'; readonly input: VectorHandle; readonly terms: readonly MaskTerm[] }
  /** Integer sums of the contributors' chunks; answered by `summed`. */
  | {
      readonly task: 'sum';
      readonly chunks: readonly number[];
      readonly members: readonly number[];
    }
  /** Linear tags of masked chunks that are here; answered by `chunks-tagged`. */
  | { readonly task: 'tag-chunks'; readonly chunks: readonly ChunkOf[]; readonly seed: Secret }
  /** Linear tags of sums that are here; answered by `sums-tagged`. */
  | { readonly task: 'tag-sums'; readonly sums: readonly ChunkSum[]; readonly seed: Secret }
  /** The sums minus the terms, reduced to the ring; answered by `unmasked`. */
  | {
      readonly task: 'unmask';
      readonly sums: readonly ChunkSum[];
      readonly terms: readonly MaskTerm[];
      readonly survivors: number;
    }
  /** The same for single chunks, packed in the ring's bits; answered by `chunks-unmasked`. */
  | {
      readonly task: 'unmask-chunks';
      readonly sums: readonly ChunkSum[];
      readonly terms: readonly MaskTerm[];
    }
  /** Plain sums of all chunks, in order, as one vector; answered by `unmasked`. */
  | {
      readonly task: 'assemble';
      readonly sums: readonly ChunkSum[];
      readonly survivors: number;
    };

/** Proof that a member broke the rules. */
export type Conviction =
  /** Two different messages in one slot. */
  | { readonly reason: 'equivocation'; readonly slot: string }
  /** Its tag contradicts the chunk under its own COMMIT. */
  | { readonly reason: 'wrong-tag'; readonly chunk: number }
  /** Its sum is not that of the chunks under the COMMITs. */
  | { readonly reason: 'wrong-sum'; readonly chunk: number }
  /** Its audit contradicts the chunk under the COMMIT. */
  | { readonly reason: 'wrong-audit'; readonly chunk: number }
  /** What it says is left of a verified sum without its masks is not. */
  | { readonly reason: 'wrong-plain-sum'; readonly chunk: number }
  /** Enough of its committed shares do not open what it committed to. */
  | { readonly reason: 'inconsistent-shares' };

export type SessionEffect =
  | { readonly kind: 'journal'; readonly record: SessionRecord }
  | { readonly kind: 'broadcast'; readonly message: SecaggMessage }
  | { readonly kind: 'set-timer'; readonly timer: string; readonly afterMs: number }
  | { readonly kind: 'compute'; readonly compute: SessionCompute }
  | {
      readonly kind: 'send-chunk';
      readonly to: number;
      readonly chunk: number;
      readonly proof: readonly Uint8Array[];
    }
  | {
      readonly kind: 'fetch-sum';
      readonly chunk: number;
      readonly hash: Uint8Array;
      readonly from: readonly number[];
    }
  /** A chunk's plain sum, from members who removed its masks, or have it. */
  | {
      readonly kind: 'fetch-plain';
      readonly chunk: number;
      readonly hash: Uint8Array;
      readonly from: readonly number[];
    }
  /** Asks owners to open a member's masked chunk; answered by `chunk-received` or `…-missing`. */
  | {
      readonly kind: 'fetch-chunk';
      readonly chunk: number;
      readonly of: number;
      /** The member's COMMIT: what does not fit it is not taken. */
      readonly root: Uint8Array;
      readonly from: readonly number[];
    }
  | { readonly kind: 'convict'; readonly member: number; readonly conviction: Conviction }
  /** This cell decided U: the roster must confirm it. */
  | { readonly kind: 'nominate'; readonly entry: CellEntry }
  | { readonly kind: 'phase'; readonly phase: PhaseName }
  | { readonly kind: 'ended'; readonly outcome: SessionOutcome };

export type SessionOutcome =
  | {
      readonly kind: 'sum';
      readonly survivors: readonly number[];
      readonly result: VectorHandle;
      readonly digest?: Uint8Array | undefined;
    }
  /** Nothing can be certified in this attempt: the next one may use the same update. */
  | { readonly kind: 'retry'; readonly reason: RetryReason }
  /** Somebody may still open this attempt: its update is never used again. */
  | { readonly kind: 'burnt'; readonly reason: BurnReason };

export type RetryReason =
  | 'never-masked'
  | 'vetoed'
  | 'abort-decided'
  | 'abandoned'
  /** The roster's decision leaves this cell out. */
  | 'cell-left-out';
export type BurnReason =
  | 'quorum-lost'
  | 'sum-out-of-range'
  | 'shares-inconsistent'
  /** The roster confirmed another U of this cell than its members decided. */
  | 'cell-divided';
