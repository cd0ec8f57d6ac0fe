import type { SessionEvent } from '@starling/secagg';
import { layoutOf } from './packed.ts';
import type { Place } from './session-place.ts';

/** How far the chunks of an attempt are, for an onlooker. */
export interface ChunkCounts {
  /** Of the vector of one cell. */
  readonly total: number;
  /** Of this peer's masked update: delivered to their owners, each owner counted. */
  readonly sent: number;
  /** Summed here, as their owner. */
  readonly summed: number;
  /** Sums that arrived here from their owners. */
  readonly fetched: number;
}

/** Counts for one attempt at a time: the first chunk of another begins anew. */
export class ChunkProgress {
  #place: Place | undefined;
  #counts: ChunkCounts | undefined;

  get counts(): ChunkCounts | undefined {
    return this.#counts;
  }

  sent(place: Place): void {
    const counts = this.#of(place);
    this.#counts = { ...counts, sent: counts.sent + 1 };
  }

  note(place: Place, event: SessionEvent): void {
    const counts = this.#of(place);
    if (event.kind === 'summed') {
      this.#counts = { ...counts, summed: counts.summed + event.sums.length };
    }
    if (event.kind === 'sum-fetched') this.#counts = { ...counts, fetched: counts.fetched + 1 };
  }

  #of(place: Place): ChunkCounts {
    const isSame = this.#place?.result === place.result;
    if (isSame && this.#counts !== undefined) return this.#counts;
    this.#place = place;
    this.#counts = { total: layoutOf(place.config.shape).count, sent: 0, summed: 0, fetched: 0 };
    return this.#counts;
  }
}
