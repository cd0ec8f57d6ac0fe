import { batchRows, type Cell, type TableBatch, type TableFile } from './table.ts';

/** Where a row of a text file starts. */
export interface Mark {
  readonly row: number;
  readonly byte: number;
  /** Lines before it. */
  readonly line: number;
}

/** One row, and how far the reading of it went. */
export interface RowRecord {
  /** In the order of the file's columns. */
  readonly cells: readonly Cell[];
  /** Bytes and lines from the start of the reading to the end of this row. */
  readonly bytes: number;
  readonly lines: number;
}

export interface RowFileParts {
  readonly name: string;
  readonly columns: readonly string[];
  /** Of the first row. */
  readonly start: Mark;
  /** Reads from a mark to the end of the file. */
  records(from: Mark): AsyncIterable<RowRecord>;
  close(): Promise<void>;
}

/**
 * A table in a text file, row behind row. Where rows start is not known before they are read, so a
 * reading leaves a mark at each batch, and later ones start at the last mark before their rows.
 */
export class RowFile implements TableFile {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows = undefined;
  readonly #parts: RowFileParts;
  /** Ascending. */
  readonly #marks: Mark[];

  constructor(parts: RowFileParts) {
    this.name = parts.name;
    this.columns = parts.columns;
    this.#parts = parts;
    this.#marks = [parts.start];
  }

  async *batches(columns: readonly string[], from: number, to: number): AsyncIterable<TableBatch> {
    const wanted = columns.map((name) => this.columns.indexOf(name));
    const mark = this.#marks.findLast(({ row }) => row <= from)!;
    let row = mark.row;
    const size = batchRows(this.columns.length);
    let batch = new RowBatch(this.name, wanted);
    for await (const { cells, bytes, lines } of this.#parts.records(mark)) {
      if (row >= to) break;
      if (row >= from) batch.add(cells, mark.line + lines);
      row++;
      if (row % size !== 0) continue;
      this.#note({ row, byte: mark.byte + bytes, line: mark.line + lines });
      if (batch.count > 0) yield batch;
      batch = new RowBatch(this.name, wanted);
    }
    if (batch.count > 0) yield batch;
  }

  close(): Promise<void> {
    return this.#parts.close();
  }

  #note(mark: Mark): void {
    if (mark.row > this.#marks.at(-1)!.row) this.#marks.push(mark);
  }
}

class RowBatch implements TableBatch {
  readonly columns: readonly Cell[][];
  readonly #name: string;
  readonly #wanted: readonly number[];
  readonly #lines: number[] = [];

  constructor(name: string, wanted: readonly number[]) {
    this.#name = name;
    this.#wanted = wanted;
    this.columns = wanted.map(() => []);
  }

  get count(): number {
    return this.#lines.length;
  }

  add(cells: readonly Cell[], line: number): void {
    this.#lines.push(line);
    for (const [i, column] of this.#wanted.entries()) this.columns[i]!.push(cells[column] ?? null);
  }

  place(row: number): string {
    return `${this.#name}:${this.#lines[row]}`;
  }
}
