/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** Bytes that one run works through. */
  readonly bytes: number;
  readonly run: () => void;
}

/** Bytes per second of each repetition, in their order. */
export type Rates = ReadonlyMap<string, readonly number[]>;

/**
 * Runs all contenders, then all again in reverse order, and so on: load from outside hits all
 * alike, and none has always the same forerunner. A first repetition is not counted; it compiles.
 */
export function interleave(contenders: readonly Contender[], repetitions: number): Rates {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let repetition = -1; repetition < repetitions; repetition++) {
    const ordered = repetition % 2 === 0 ? contenders : contenders.toReversed();
    for (const { name, bytes, run } of ordered) {
      const start = performance.now();
      run();
      const seconds = (performance.now() - start) / 1000;
      if (repetition >= 0) rates.get(name)!.push(bytes / seconds);
    }
  }
  return rates;
}

export function median(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  const middle = Math.floor(ordered.length / 2);
  return ordered.length % 2 === 1
    ? ordered[middle]!
    : (ordered[middle - 1]! + ordered[middle]!) / 2;
}

/** The median of a contender's rate over another's, each taken within one repetition. */
export function medianRatio(rates: Rates, name: string, other: string): number {
  const others = rates.get(other)!;
  return median(rates.get(name)!.map((rate, i) => rate / others[i]!));
}
