const KEPT = 1024;

/** How long the last requests took; milliseconds. */
export class Latencies {
  readonly #ring = new Float64Array(KEPT);
  #count = 0;

  add(milliseconds: number): void {
    this.#ring[this.#count % KEPT] = milliseconds;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Median and 99th percentile of the last 1024; null before there is one. */
  summary(): { readonly p50Ms: number; readonly p99Ms: number } | null {
    if (this.#count === 0) return null;
    const sorted = this.#ring.slice(0, Math.min(KEPT, this.#count)).toSorted();
    const at = (part: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }
}
