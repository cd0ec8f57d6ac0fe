import type { PeerId } from '@starling/core';

/** How often a peer was in a cell that somebody spoilt, since this node started. */
export interface Suspect {
  readonly peer: PeerId;
  /** Rounds in whose sums the peer was, and those of them with its cell spoilt. */
  readonly rounds: number;
  readonly spoilt: number;
}

/** Peers to whom more is remembered; those longest not seen are forgotten. */
const PEERS_MAX = 10_000;

/**
 * A spoilt sum does not say which of its peers lied. Cells are drawn anew in every round, so a liar
 * stands out by always being where sums are spoilt. For people to look at: honest peers have been
 * in such cells, too, and nobody is left out for it.
 */
export class Suspicion {
  readonly #counts = new Map<PeerId, Suspect>();

  /**
   * @param cells survivors of each cell of a round
   * @param spoilt indices of the cells whose sum no honest peers can have
   */
  note(cells: readonly (readonly PeerId[])[], spoilt: readonly number[]): void {
    for (const [cell, peers] of cells.entries()) {
      const isSpoilt = spoilt.includes(cell) ? 1 : 0;
      for (const peer of peers) {
        const before = this.#counts.get(peer) ?? { peer, rounds: 0, spoilt: 0 };
        this.#counts.delete(peer);
        const { rounds } = before;
        this.#counts.set(peer, { peer, rounds: rounds + 1, spoilt: before.spoilt + isSpoilt });
      }
    }
    for (const peer of this.#counts.keys()) {
      if (this.#counts.size <= PEERS_MAX) return;
      this.#counts.delete(peer);
    }
  }

  /** Peers that have been in a spoilt cell, those with the largest share of their rounds first. */
  suspects(): readonly Suspect[] {
    const share = ({ spoilt, rounds }: Suspect): number => spoilt / rounds;
    return [...this.#counts.values()]
      .filter(({ spoilt }) => spoilt > 0)
      .sort((a, b) => share(b) - share(a) || b.rounds - a.rounds);
  }
}
