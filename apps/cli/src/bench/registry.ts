import type { Column } from '../table.ts';

/** One line of a report's table: its cells in the order of the columns. */
export type BenchmarkLine = readonly string[];

export interface BenchmarkReport {
  /** What was measured, for people. */
  readonly title: string;
  readonly columns: readonly Column<BenchmarkLine>[];
  readonly lines: readonly BenchmarkLine[];
  /** What the table does not say by itself, such as which target is missed and why. */
  readonly notes: readonly string[];
  /** The JSON object: figures with their units in their names, and ratios. */
  readonly result: Readonly<Record<string, unknown>>;
}

export interface BenchmarkOptions {
  /** A size for tests: it shows that the benchmark works, and its figures mean nothing. */
  readonly quick: boolean;
}

export interface Benchmark {
  run(options: BenchmarkOptions): Promise<BenchmarkReport>;
}

/** Columns of these titles: a name on the left, then numbers. */
export const columnsOf = (titles: readonly string[]): readonly Column<BenchmarkLine>[] =>
  titles.map((title, i) => ({
    title,
    value: (line) => line[i] ?? '',
    ...(i === 0 ? {} : { align: 'right' }),
  }));

/** Every benchmark by its name; each is loaded when it runs. */
export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  masking: async () => (await import('./masking.ts')).masking,
  network: async () => (await import('./network.ts')).network,
  round: async () => (await import('./round.ts')).round,
  serving: async () => (await import('./serving.ts')).serving,
  system: async () => (await import('./system.ts')).system,
  training: async () => (await import('./training.ts')).training,
};
