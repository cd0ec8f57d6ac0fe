export interface BenchmarkRow {
  readonly name: string;
  readonly bytesPerSecond: number;
  /** Ours over this one, within the same run: the figure that counts. */
  readonly ratio: number;
}

export interface BenchmarkReport {
  /** What was measured, for people. */
  readonly title: string;
  /** Ours first, then what it is compared with. */
  readonly rows: readonly BenchmarkRow[];
  /** The JSON object: figures with their units in their names, and ratios. */
  readonly result: Readonly<Record<string, string | number>>;
}

export interface Benchmark {
  run(): Promise<BenchmarkReport>;
}

/**
 * Every benchmark by its name; each is loaded when it runs. The next ones stand here too: `round`,
 * `training`, `network`, `system`, `serving`.
 */
export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  masking: async () => (await import('./masking.ts')).masking,
};
