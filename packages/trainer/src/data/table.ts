import type { Progress } from './source.ts';

/** A field of a table; null where it is missing. Lists are features in one field. */
export type Cell = string | number | boolean | null | readonly Cell[];

/** Consecutive rows, column by column. */
export interface TableBatch {
  readonly count: number;
  /** In the order that was asked for. */
  readonly columns: readonly ArrayLike<Cell>[];
  /** Names file and row in errors. */
  place(row: number): string;
}

/** One file of rows with named columns. */
export interface TableFile {
  /** Names the file in errors. */
  readonly name: string;
  readonly columns: readonly string[];
  /** Number of rows, where the file says so itself. */
  readonly rows: number | undefined;
  /** Rows `from` … `to − 1`, or up to the end; fewer when the file ends. */
  batches(columns: readonly string[], from: number, to: number): AsyncIterable<TableBatch>;
  close(): Promise<void>;
}

export interface TableFileOptions {
  /** What separates the fields of a CSV file. */
  readonly delimiter?: string;
  readonly progress?: Progress;
}

/** Fields of a batch of text: each is a string of its own until it is read. */
const BATCH_FIELDS = 65_536;
const BATCH_ROWS_MAX = 16_384;

/** Rows of a batch in a file of text with so many columns. */
export const batchRows = (columns: number): number =>
  Math.min(BATCH_ROWS_MAX, Math.max(1, Math.floor(BATCH_FIELDS / columns)));

const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?']);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Whether a field has no value: empty, or one of the usual words for that. */
export const isMissing = (cell: Cell): boolean =>
  cell === null ||
  (typeof cell === 'number' && !Number.isFinite(cell)) ||
  (typeof cell === 'string' && cell.length <= 4 && MISSING.has(cell.trim().toLowerCase()));

/** The number that a field holds; undefined for any other text. */
export function numberOf(cell: Cell): number | undefined {
  if (typeof cell === 'number') return cell;
  if (typeof cell === 'boolean') return cell ? 1 : 0;
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  return NUMBER.test(text) ? Number(text) : undefined;
}

/** A field as the name of a class. */
export const nameOf = (cell: Cell): string => String(cell).trim();

/** A field as errors show it. */
export const shown = (cell: Cell): string => {
  const text = Array.isArray(cell) ? `a list of ${cell.length}` : JSON.stringify(cell);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
};
