import { Readable } from 'node:stream';
import { errorMessage } from '@starling/core';
import { CsvError, type Info, parse } from 'csv-parse';
import { chunksOf, type RangeFile } from './file-store.ts';
import { type Mark, RowFile, type RowRecord } from './row-file.ts';
import { corrupt } from './source.ts';
import { numberOf, type TableFile } from './table.ts';

const BEGINNING: Mark = { row: 0, byte: 0, line: 0 };
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

/**
 * A file of comma-separated values (RFC 4180): fields may be quoted, and then hold separators and
 * line breaks. The first line names the columns; where it is all numbers it is a row already, and
 * the columns are c1, c2, ….
 * @param delimiter the comma unless told
 * @throws ProtocolError `dataset-corrupt` naming file and line
 */
export async function openCsv(file: RangeFile, delimiter = ','): Promise<TableFile> {
  for await (const { cells, bytes, lines } of readRecords(file, delimiter, BEGINNING)) {
    const hasHeader = cells.some((field) => numberOf(field) === undefined);
    const columns = hasHeader ? cells.map((name) => name.trim()) : cells.map((_, i) => `c${i + 1}`);
    const twice = columns.find((name, i) => columns.indexOf(name) !== i);
    if (twice !== undefined) {
      throw corrupt(`${file.name}:1`, `two columns are named "${twice}"`, 'Rename one of them');
    }
    return new RowFile({
      name: file.name,
      columns,
      start: hasHeader ? { row: 0, byte: bytes, line: lines } : BEGINNING,
      records: (from) => checkedRecords(file, delimiter, { from, columns: columns.length }),
      close: () => file.close(),
    });
  }
  throw corrupt(file.name, 'the file is empty', 'It must have a line of column names, then rows');
}

interface TextRecord extends RowRecord {
  readonly cells: readonly string[];
}

async function* checkedRecords(
  file: RangeFile,
  delimiter: string,
  { from, columns }: { readonly from: Mark; readonly columns: number },
): AsyncGenerator<TextRecord> {
  for await (const record of readRecords(file, delimiter, from)) {
    if (record.cells.length !== columns) {
      throw corrupt(
        `${file.name}:${from.line + record.lines}`,
        `${record.cells.length} fields, but the file has ${columns} columns`,
        'Look for a missing or an extra separator, or a quote that is not closed',
      );
    }
    yield record;
  }
}

async function* readRecords(
  file: RangeFile,
  delimiter: string,
  from: Mark,
): AsyncGenerator<TextRecord> {
  const parser = parse({
    delimiter,
    info: true,
    bom: from.byte === 0,
    record_delimiter: ['\r\n', '\n', '\r'],
    skip_empty_lines: true,
    // Our own check names the line and says what to do.
    relax_column_count: true,
    max_record_size: RECORD_BYTES_MAX,
  });
  const bytes = Readable.from(chunksOf(file, from.byte));
  bytes.once('error', (error) => parser.destroy(error));
  try {
    for await (const parsed of bytes.pipe(parser)) {
      const { record, info }: { record: readonly string[]; info: Info } = parsed;
      yield { cells: record, bytes: info.bytes, lines: info.lines };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? error['lines'] : 0;
    const remedy = 'Open the file at this line and close or double the quote';
    throw corrupt(`${file.name}:${from.line + line}`, errorMessage(error), remedy);
  } finally {
    bytes.destroy();
  }
}
