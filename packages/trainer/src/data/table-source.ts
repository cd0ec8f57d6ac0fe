import { assert } from '@starling/core';
import { flatten } from './column-scan.ts';
import { type ElementPlan, pick } from './elements.ts';
import { corrupt, type DataSource, type Examples, type SourceInfo, targetArray } from './source.ts';
import type { TableFile } from './table.ts';
import { type Cell, isMissing, nameOf, numberOf, shown, type TableBatch } from './table.ts';
import type { TableColumns } from './table-plan.ts';

export interface TableSourceParts {
  readonly info: SourceInfo;
  readonly elements: ElementPlan;
  readonly columns: TableColumns;
  readonly files: readonly TableFile[];
  /** Rows of each file. */
  readonly rows: readonly number[];
}

type Typed = Uint8Array | Float32Array | Int32Array;

/** Examples from the rows of one or several files. */
export class TableSource implements DataSource {
  readonly info: SourceInfo;
  readonly #parts: TableSourceParts;

  constructor(parts: TableSourceParts) {
    this.info = parts.info;
    this.#parts = parts;
  }

  async read(from: number, count: number): Promise<Examples> {
    const { info, files, rows, columns } = this.#parts;
    assert(from >= 0 && from + count <= info.count, `examples ${from} to ${from + count}`);
    const rowWriter = new RowWriter(this.#parts, count);
    let first = 0;
    for (const [i, file] of files.entries()) {
      const start = Math.max(from, first) - first;
      const end = Math.min(from + count, first + rows[i]!) - first;
      first += rows[i]!;
      if (start >= end) continue;
      const names = [...columns.features, ...columns.labels];
      for await (const batch of file.batches(names, start, end)) rowWriter.write(batch);
    }
    return rowWriter.finish(files.at(-1)!.name);
  }

  async close(): Promise<void> {
    await Promise.all(this.#parts.files.map((file) => file.close()));
  }
}

class RowWriter {
  readonly #parts: TableSourceParts;
  readonly #count: number;
  readonly #width: number;
  readonly #inputs: Typed;
  readonly #targets: Int32Array | Float32Array | null;
  readonly #indices: ReadonlyMap<string, number>;
  #written = 0;

  constructor(parts: TableSourceParts, count: number) {
    const { info, columns, elements } = parts;
    const { target } = info;
    this.#parts = parts;
    this.#count = count;
    this.#width = info.shape.reduce((product, dim) => product * dim, 1);
    this.#inputs = new (elements.dtype === 'uint8' ? Uint8Array : Float32Array)(
      count * this.#width,
    );
    this.#targets = targetArray(info.target, count);
    const names = target.kind === 'classes' && columns.labelsAre === 'names' ? target.names : null;
    this.#indices = new Map((names ?? []).map((name, i) => [name, i]));
  }

  write(batch: TableBatch): void {
    const { columns, elements } = this.#parts;
    let offset = 0;
    for (const [i, name] of columns.features.entries()) {
      offset += this.#writeFeature({ batch, name, cells: batch.columns[i]!, offset, elements });
    }
    if (offset !== this.#width) {
      const remedy = 'The file has changed since the data set was added; add it again';
      throw corrupt(batch.place(0), `${offset} numbers, expected ${this.#width}`, remedy);
    }
    let target = 0;
    for (const [i, name] of columns.labels.entries()) {
      const cells = batch.columns[columns.features.length + i]!;
      target += this.#writeTarget({ batch, name, cells, offset: target });
    }
    this.#written += batch.count;
  }

  /** @param where the last file, for an error */
  finish(where: string): Examples {
    if (this.#written !== this.#count) {
      const remedy = 'The file has changed since the data set was added; add it again';
      throw corrupt(where, `${this.#count - this.#written} rows are missing`, remedy);
    }
    return { count: this.#count, inputs: this.#inputs, targets: this.#targets };
  }

  #writeFeature({ elements, ...column }: ColumnOf & { elements: ElementPlan }): number {
    const { cells, batch, offset } = column;
    const out = this.#inputs;
    const stride = this.#width;
    const convert = converter(elements);
    let width = 1;
    for (let row = 0; row < batch.count; row++) {
      const cell = cells[row]!;
      const at = (this.#written + row) * stride + offset;
      let wide = 1;
      if (Array.isArray(cell)) wide = this.#writeList(column, row, convert);
      else out[at] = convert(this.#number(column, cell, row), offset);
      if (row > 0 && wide !== width) {
        throw this.#fault(column, row, `${wide} numbers, where other rows have ${width}`);
      }
      width = wide;
    }
    return width;
  }

  #writeList(column: ColumnOf, row: number, convert: Converter): number {
    const cell = column.cells[row]!;
    const list = Array.isArray(cell) ? flatten(cell) : [];
    const at = (this.#written + row) * this.#width + column.offset;
    if (column.offset + list.length > this.#width) {
      throw this.#fault(column, row, `${shown(cell)} is longer than in other rows`);
    }
    for (const [i, item] of list.entries()) {
      this.#inputs[at + i] = convert(this.#number(column, item, row), column.offset + i);
    }
    return list.length;
  }

  #writeTarget(column: ColumnOf): number {
    const { cells, batch, offset } = column;
    const { target } = this.#parts.info;
    const out = this.#targets!;
    if (target.kind === 'classes') {
      for (let row = 0; row < batch.count; row++) {
        out[this.#written + row] = this.#classOf(column, row, target.count);
      }
      return 1;
    }
    const stride = target.kind === 'numbers' ? target.width : 1;
    let width = 1;
    for (let row = 0; row < batch.count; row++) {
      const cell = cells[row]!;
      const list = Array.isArray(cell) ? flatten(cell) : [cell];
      width = list.length;
      for (const [i, item] of list.entries()) {
        out[(this.#written + row) * stride + offset + i] = this.#number(column, item, row);
      }
    }
    return width;
  }

  #classOf(column: ColumnOf, row: number, count: number): number {
    const cell = column.cells[row]!;
    const isName = this.#indices.size > 0;
    const index = isName ? this.#indices.get(nameOf(cell)) : this.#number(column, cell, row);
    if (index !== undefined && Number.isInteger(index) && index >= 0 && index < count) return index;
    throw this.#fault(column, row, `${shown(cell)} is none of the ${count} classes`);
  }

  #number(column: ColumnOf, cell: Cell, row: number): number {
    const value = isMissing(cell) ? undefined : numberOf(cell);
    if (value !== undefined) return value;
    throw this.#fault(column, row, `${shown(cell)} is no number`);
  }

  #fault({ batch, name }: ColumnOf, row: number, what: string) {
    const remedy = 'Correct the file, or add the data set again with other options';
    return corrupt(`${batch.place(row)}, column "${name}"`, what, remedy);
  }
}

interface ColumnOf {
  readonly batch: TableBatch;
  readonly name: string;
  readonly cells: ArrayLike<Cell>;
  /** Of its first number in an example. */
  readonly offset: number;
}

type Converter = (value: number, feature: number) => number;

function converter(elements: ElementPlan): Converter {
  if (elements.dtype !== 'float32') return (value) => value;
  const { shift, factor } = elements;
  return (value, feature) => (value - pick(shift, feature)) * pick(factor, feature);
}
