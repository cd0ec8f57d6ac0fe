import { Moments } from './elements.ts';
import { type Cell, isMissing, nameOf, numberOf, shown, type TableBatch } from './table.ts';

/** The first field of a kind that was met. */
export interface Found {
  /** File and row. */
  readonly place: string;
  readonly value: string;
}

/** Different values that are counted one by one; a column of more is no column of classes. */
export const DISTINCT_MAX = 1000;

/** All that is learnt about a column in one pass. */
export class ColumnScan {
  readonly name: string;
  rows = 0;
  missing = 0;
  firstMissing: Found | undefined;
  /** Fields that are neither numbers nor lists of numbers. */
  texts = 0;
  firstText: Found | undefined;
  /** Numbers in each field: 1, or the length of the column's lists; 0 while none was seen. */
  width = 0;
  /** A field whose width is another. */
  otherWidth: Found | undefined;
  /** Of each number of a field. */
  readonly moments: Moments[] = [];
  /** Fields by their text, for a column of at most `DISTINCT_MAX` different ones. */
  #values: Map<string | number, number> | null = new Map();

  constructor(name: string) {
    this.name = name;
  }

  add(cells: ArrayLike<Cell>, batch: TableBatch): void {
    this.rows += cells.length;
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!;
      if (isMissing(cell)) {
        this.missing++;
        this.firstMissing ??= { place: batch.place(i), value: shown(cell) };
      } else if (Array.isArray(cell)) this.#addList(cell, i, batch);
      else this.#addScalar(cell, i, batch);
    }
  }

  /** Rows of each different field; null when there are too many of them. */
  get values(): ReadonlyMap<string, number> | null {
    if (this.#values === null) return null;
    return new Map([...this.#values].map(([value, count]) => [String(value), count]));
  }

  get type(): 'empty' | 'list' | 'text' | 'mixed' | 'integer' | 'number' {
    const seen = this.rows - this.missing;
    if (seen === 0) return 'empty';
    if (this.texts > 0) return this.texts === seen ? 'text' : 'mixed';
    if (this.width !== 1) return 'list';
    return this.moments[0]!.whole ? 'integer' : 'number';
  }

  #addScalar(cell: Cell, row: number, batch: TableBatch): void {
    if (this.#values !== null) this.#count(typeof cell === 'number' ? cell : nameOf(cell));
    const value = numberOf(cell);
    if (value === undefined) {
      this.texts++;
      this.firstText ??= { place: batch.place(row), value: shown(cell) };
      return;
    }
    this.#expectWidth(1, cell, row, batch);
    this.moments[0]!.add(value);
  }

  #addList(cells: readonly Cell[], row: number, batch: TableBatch): void {
    this.#values = null;
    const flat = flatten(cells);
    this.#expectWidth(flat.length, cells, row, batch);
    for (const [i, cell] of flat.entries()) {
      const value = isMissing(cell) ? undefined : numberOf(cell);
      if (value !== undefined) this.moments[i]?.add(value);
      else this.firstText ??= { place: batch.place(row), value: shown(cell) };
    }
    if (this.firstText?.place === batch.place(row)) this.texts++;
  }

  #expectWidth(width: number, cell: Cell, row: number, batch: TableBatch): void {
    if (this.width === 0) {
      this.width = width;
      for (let i = 0; i < width; i++) this.moments.push(new Moments());
    } else if (this.width !== width) {
      this.otherWidth ??= { place: batch.place(row), value: shown(cell) };
    }
  }

  #count(value: string | number): void {
    this.#values!.set(value, (this.#values!.get(value) ?? 0) + 1);
    if (this.#values!.size > DISTINCT_MAX) this.#values = null;
  }
}

/** The fields of lists in lists, in order. */
export const flatten = (cells: readonly Cell[]): readonly Cell[] =>
  cells.some(Array.isArray)
    ? cells.flatMap((cell) => (Array.isArray(cell) ? flatten(cell) : [cell]))
    : cells;
