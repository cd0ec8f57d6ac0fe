import type { Slot } from '@starling/rounds';
import type { SessionEvent } from '@starling/secagg';
import { layoutOf } from './packed.ts';
import type { Place } from './session-place.ts';

/** How far the chunks of an attempt are, for an onlooker. */
export interface ChunkCounts {
  readonly round: number;
  readonly slot: Slot;
  /** Of the vector of one cell. */
  readonly total: number;
  /** Of this peer's masked update: delivered to another owner, the first of several. */
  readonly sent: number;
  /** Summed here, as their owner. */
  readonly summed: number;
  /** Sums that arrived here from their owners. */
  readonly fetched: number;
}

/** Counts for one attempt at a time. */
export class ChunkProgress {
  #round = 0;
  #place: Place | undefined;
  #counts: ChunkCounts | undefined;
  readonly #sent = new Set<number>();

  /** Undefined until the attempt that goes on has chunks. */
  get counts(): ChunkCounts | undefined {
    return this.#counts;
  }

  /** The attempt that goes on from now on: what is still told of another counts no more. */
  enter(round: number, place: Place): void {
    if (this.#place?.result === place.result) return;
    this.#round = round;
    this.#place = place;
    this.#counts = undefined;
    this.#sent.clear();
  }

  sent(place: Place, chunk: number): void {
    this.#change(place, () => ({ sent: this.#sent.add(chunk).size }));
  }

  note(place: Place, event: SessionEvent): void {
    switch (event.kind) {
      case 'masked':
        this.#change(place, () => ({}));
        return;
      case 'summed':
        this.#change(place, ({ summed }) => ({ summed: summed + event.sums.length }));
        return;
      case 'sum-fetched':
        this.#change(place, ({ fetched }) => ({ fetched: fetched + 1 }));
        return;
      default:
    }
  }

  #change(place: Place, change: (counts: ChunkCounts) => Partial<ChunkCounts>): void {
    if (this.#place?.result !== place.result) return;
    const { slot, config } = place;
    const counts = this.#counts ?? {
      ...{ round: this.#round, slot, total: layoutOf(config.shape).count },
      ...{ sent: 0, summed: 0, fetched: 0 },
    };
    this.#counts = { ...counts, ...change(counts) };
  }
}
