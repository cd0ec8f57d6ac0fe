import type { FileMetaData } from 'hyparquet';
import type { RangeFile } from './file-store.ts';
import { corrupt } from './source.ts';
import { ThriftError, type ThriftFields, ThriftReader } from './thrift.ts';

/** Writers make pages of about a MiB; their rows are those of a whole group at most. */
const PAGE_BYTES_MAX = 256 * 1024 * 1024;
const PAGE_VALUES_MAX = 2 ** 24;

/** Fields of a page's header: https://github.com/apache/parquet-format, parquet.thrift. */
const PAGE = { uncompressed: 2, compressed: 3, data: 5, dictionary: 7, dataV2: 8 } as const;
const VALUES = 1;
const V2 = { nulls: 2, rows: 3, definitions: 5, repetitions: 6 } as const;

const REMEDY = 'The file is damaged here; copy or write it again';

type Chunk = FileMetaData['row_groups'][number]['columns'][number];

/**
 * Looks at the headers of all pages before their reader does: it takes memory for as many values as
 * a header says, and goes back in the file where a length is negative.
 */
export class PageCheck {
  readonly #file: RangeFile;
  readonly #metadata: FileMetaData;
  readonly #checked = new Set<Chunk>();

  constructor(file: RangeFile, metadata: FileMetaData) {
    this.#file = file;
    this.#metadata = metadata;
  }

  /**
   * Checks the pages of a column in the row groups that have rows of the range; each once.
   * @throws ProtocolError `dataset-corrupt` naming file and column
   */
  async check(column: string, rowStart: number, rowEnd: number): Promise<void> {
    let first = 0;
    for (const group of this.#metadata.row_groups) {
      const next = first + Number(group.num_rows);
      if (first < rowEnd && next > rowStart) {
        for (const chunk of group.columns) await this.#checkChunk(chunk, column);
      }
      first = next;
    }
  }

  async #checkChunk(chunk: Chunk, column: string): Promise<void> {
    const { meta_data: meta } = chunk;
    if (meta === undefined || meta.path_in_schema[0] !== column || this.#checked.has(chunk)) return;
    const where = `${this.#file.name}, column "${column}"`;
    const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
    const end = start + Number(meta.total_compressed_size);
    if (!(start >= 0 && start < end && end <= this.#file.byteLength)) {
      throw corrupt(where, `pages at bytes ${start} to ${end} of ${this.#file.byteLength}`, REMEDY);
    }
    const most = Math.min(Number(meta.num_values), PAGE_VALUES_MAX);
    checkPages(await this.#file.read(start, end), most, where);
    this.#checked.add(chunk);
  }
}

/**
 * @param most values of the whole chunk, as the file's end has it
 * @throws ProtocolError `dataset-corrupt`
 */
function checkPages(bytes: Uint8Array, most: number, where: string): void {
  // The reader stops one byte before the end, too.
  for (let at = 0; at < bytes.length - 1; ) {
    const reader = new ThriftReader(bytes, at);
    let page: ThriftFields;
    try {
      page = reader.struct();
    } catch (error) {
      if (!(error instanceof ThriftError)) throw error;
      throw corrupt(where, `the header of a page is damaged: ${error.message}`, REMEDY);
    }
    const fault = faultOf(page, bytes.length - reader.at, most);
    if (fault !== undefined) throw corrupt(where, `a page with ${fault}`, REMEDY);
    at = reader.at + numberIn(page, PAGE.compressed);
  }
}

const numberIn = (fields: ThriftFields, id: number): number => {
  const value = fields.get(id);
  return typeof value === 'number' ? value : Number.NaN;
};

const isWithin = (value: number, most: number): boolean => value >= 0 && value <= most;

/** What is wrong with a page of which at most `rest` bytes follow. */
function faultOf(page: ThriftFields, rest: number, most: number): string | undefined {
  const [packed, size] = [numberIn(page, PAGE.compressed), numberIn(page, PAGE.uncompressed)];
  if (!isWithin(packed, rest)) return `${packed} bytes, of which ${rest} are there`;
  if (!isWithin(size, PAGE_BYTES_MAX)) return `${size} bytes unpacked`;
  for (const id of [PAGE.data, PAGE.dictionary, PAGE.dataV2]) {
    const header = page.get(id);
    if (header === undefined || typeof header === 'number') continue;
    const values = numberIn(header, VALUES);
    // A value of a dictionary takes a byte at least; those of a page may take less than a bit.
    const limit = id === PAGE.dictionary ? size : most;
    if (!isWithin(values, limit)) return `${values} values, where ${limit} can be`;
    if (id === PAGE.dataV2) return faultOfV2(header, values, Math.min(packed, size));
  }
  return undefined;
}

function faultOfV2(header: ThriftFields, values: number, bytes: number): string | undefined {
  const [nulls, rows] = [numberIn(header, V2.nulls), numberIn(header, V2.rows)];
  const levels = [numberIn(header, V2.definitions), numberIn(header, V2.repetitions)] as const;
  if (!isWithin(nulls, values)) return `${nulls} of ${values} values absent`;
  if (!isWithin(rows, values)) return `${rows} rows of ${values} values`;
  if (!levels.every((length) => isWithin(length, bytes)) || levels[0] + levels[1] > bytes) {
    return `levels of ${levels.join(' and ')} bytes in ${bytes}`;
  }
  return undefined;
}
