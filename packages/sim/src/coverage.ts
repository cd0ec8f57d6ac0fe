import type { PeerId } from '@starling/core';
import type { Notice } from '@starling/rounds';
import { FAULT_KINDS, type FaultKind } from './faults.ts';

/** Of an attempt; each is entered after the peer's JOIN, and a peer may die as it enters one. */
export const PHASES = [
  'joining',
  'shares',
  'chunks',
  'decide',
  'sums',
  'unmask',
  'verify',
  'ended',
] as const;
export type Phase = (typeof PHASES)[number];
/** Beside the phases: training, waiting, or between two attempts. */
const OUTSIDE = 'outside';
const PLACES = [OUTSIDE, ...PHASES] as const;
export type Place = (typeof PLACES)[number];

/** How often each fault befell a peer in each phase. */
export type CoverageTable = Readonly<Record<Place, Readonly<Record<FaultKind, number>>>>;

const none = (): Record<FaultKind, number> => ({
  ...{ loss: 0, duplication: 0, partition: 0, crash: 0, restart: 0, 'cut-request': 0 },
});

/**
 * Counts faults by the phase of the peer they befall. A lost or doubled message is counted where
 * its receiver is as it is sent; a restart and a partition where all who live are.
 */
export class Coverage {
  readonly #places = new Map<PeerId, Place>();
  readonly #counts = new Map<Place, Record<FaultKind, number>>(
    PLACES.map((place) => [place, none()]),
  );

  /** Follows a peer through its attempts. */
  take(peer: PeerId, notice: Notice): void {
    switch (notice.kind) {
      case 'joining':
        this.#places.set(peer, 'joining');
        return;
      case 'phase':
        this.#places.set(peer, PHASES.find((phase) => phase === notice.phase) ?? OUTSIDE);
        return;
      case 'certified':
      case 'retry':
      case 'burnt':
        this.forget(peer);
    }
  }

  /** It is in no attempt any more. */
  forget(peer: PeerId): void {
    this.#places.delete(peer);
  }

  count(kind: FaultKind, peers: readonly PeerId[]): void {
    for (const peer of peers) this.#counts.get(this.#places.get(peer) ?? OUTSIDE)![kind] += 1;
  }

  table(): CoverageTable {
    return Object.fromEntries(this.#counts) as CoverageTable;
  }
}

/** The sum of many runs. */
export function addCoverage(tables: readonly CoverageTable[]): CoverageTable {
  const sum = (place: Place, kind: FaultKind) =>
    tables.reduce((total, table) => total + table[place][kind], 0);
  const rows = PLACES.map((place) => [
    place,
    Object.fromEntries(FAULT_KINDS.map((kind) => [kind, sum(place, kind)])),
  ]);
  return Object.fromEntries(rows) as CoverageTable;
}

/** Pairs of phase and fault that no run reached. A peer dies only after its JOIN. */
export const missingIn = (table: CoverageTable): readonly string[] =>
  PLACES.flatMap((place) =>
    FAULT_KINDS.filter(
      (kind) => table[place][kind] === 0 && !(place === OUTSIDE && kind === 'crash'),
    ).map((kind) => `${place} × ${kind}`),
  );
