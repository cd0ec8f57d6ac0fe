import type { PeerId } from '@starling/core';
import type { CellEntry, SecaggMessage } from '@starling/protocol-secagg';
import type { SessionTimers, VectorHandle } from '../types.ts';

/** What fixes how many cells become one result. All members derive the same, but for `self`. */
export interface AssemblyConfig {
  /** The roster in order of peer ids; `self` is an index into it. */
  readonly roster: readonly PeerId[];
  readonly self: number;
  /** Members of each cell as indices into the roster, ascending; everybody is in one. */
  readonly cells: readonly (readonly number[])[];
  /** Digest of the roster and of its cells: inside every signature, and the source of orders. */
  readonly digest: Uint8Array;
  readonly timers: SessionTimers;
}

export type AssemblyEvent =
  | { readonly kind: 'start' }
  | {
      readonly kind: 'messages';
      readonly messages: readonly { readonly from: number; readonly message: SecaggMessage }[];
    }
  | { readonly kind: 'timer'; readonly timer: string }
  | { readonly kind: 'reachable'; readonly member: number; readonly reachable: boolean }
  /** This peer's own cell decided U. */
  | { readonly kind: 'nominated'; readonly entry: CellEntry }
  /** This peer's own cell is open. */
  | {
      readonly kind: 'cell-opened';
      readonly members: readonly number[];
      readonly digest: Uint8Array;
      readonly result: VectorHandle;
    }
  | {
      readonly kind: 'cell-fetched';
      readonly cell: number;
      readonly digest: Uint8Array;
      readonly result: VectorHandle;
    }
  | { readonly kind: 'cell-missing'; readonly cell: number };

export type AssemblyEffect =
  /** A vote; on disk before the next effect is performed. */
  | { readonly kind: 'journal'; readonly slot: string; readonly value: string }
  | { readonly kind: 'broadcast'; readonly message: SecaggMessage }
  | { readonly kind: 'set-timer'; readonly timer: string; readonly afterMs: number }
  /** For this peer's own cell; null when it is left out. */
  | { readonly kind: 'confirm'; readonly digest: Uint8Array | null }
  /** Fetches a cell's opened sum by its hash; answered by `cell-fetched` or `cell-missing`. */
  | {
      readonly kind: 'fetch-cell';
      readonly cell: number;
      readonly digest: Uint8Array;
      /** Indices into the roster. */
      readonly from: readonly number[];
    }
  | { readonly kind: 'phase'; readonly phase: AssemblyPhase }
  | { readonly kind: 'ended'; readonly outcome: AssemblyOutcome };

export type AssemblyPhase = 'confirm' | 'collect';

/** One cell's part of the result. */
export interface CellSum {
  readonly result: VectorHandle;
  /** Indices into the roster. */
  readonly survivors: readonly number[];
}

export type AssemblyOutcome =
  /** In order of cells; those that are left out are missing. */
  | { readonly kind: 'sums'; readonly sums: readonly CellSum[] }
  /** The roster decided that nothing is opened: the update may be used again. */
  | { readonly kind: 'retry'; readonly reason: 'abort-decided' }
  | { readonly kind: 'burnt'; readonly reason: 'quorum-lost' };
