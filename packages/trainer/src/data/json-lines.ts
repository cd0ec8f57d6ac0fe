import { errorMessage } from '@starling/core';
import { chunksOf, type RangeFile } from './file-store.ts';
import { type Mark, RowFile, type RowRecord } from './row-file.ts';
import { corrupt } from './source.ts';
import type { Cell, TableFile } from './table.ts';

const BEGINNING: Mark = { row: 0, byte: 0, line: 0 };
/** Objects in which keys are looked for: rows may leave out what has no value. */
const HEADER_ROWS = 100;
const LINE_BYTES_MAX = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * A file with one JSON object a line. The columns are the keys of its first 100 objects; a key that
 * is absent has no value, other keys that come later are not read.
 * @throws ProtocolError `dataset-corrupt` naming file and line
 */
export async function openJsonLines(file: RangeFile): Promise<TableFile> {
  const keys = new Set<string>();
  let rows = 0;
  for await (const { object } of readObjects(file, BEGINNING)) {
    for (const key of Object.keys(object)) keys.add(key);
    if (++rows === HEADER_ROWS) break;
  }
  if (rows === 0) throw corrupt(file.name, 'the file is empty', 'Each line must hold an object');
  const columns = [...keys];
  return new RowFile({
    name: file.name,
    columns,
    start: BEGINNING,
    records: (from) => readRecords(file, from, columns),
    close: () => file.close(),
  });
}

async function* readRecords(
  file: RangeFile,
  from: Mark,
  columns: readonly string[],
): AsyncGenerator<RowRecord> {
  for await (const { object, bytes, lines, where } of readObjects(file, from)) {
    yield { cells: columns.map((key) => cellOf(object[key], key, where)), bytes, lines };
  }
}

function cellOf(value: unknown, key: string, where: string): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === 'object' && !Array.isArray(value)) {
    const remedy = 'Put its values at the top of the object, or into a list';
    throw corrupt(`${where}, key "${key}"`, 'an object inside the object', remedy);
  }
  if (Array.isArray(value)) return value.map((item) => cellOf(item, key, where));
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  return null;
}

interface ObjectLine {
  readonly object: Readonly<Record<string, unknown>>;
  readonly bytes: number;
  readonly lines: number;
  readonly where: string;
}

async function* readObjects(file: RangeFile, from: Mark): AsyncGenerator<ObjectLine> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const { line, bytes, lines } of readLines(file, from)) {
    const where = `${file.name}:${from.line + lines}`;
    let object: unknown;
    try {
      const text = decoder.decode(line).trim();
      if (text === '') continue;
      object = JSON.parse(text);
    } catch (error) {
      throw corrupt(where, errorMessage(error), 'Each line must hold one JSON object in UTF-8');
    }
    if (!isRecord(object)) {
      throw corrupt(where, 'no JSON object', 'Each line must look like {"name": value, …}');
    }
    yield { object, bytes, lines, where };
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

async function* readLines(file: RangeFile, from: Mark) {
  let rest = new Uint8Array();
  let bytes = 0;
  let lines = 0;
  for await (const chunk of chunksOf(file, from.byte)) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (;;) {
      const end = all.indexOf(NEWLINE, start);
      if (end < 0) break;
      bytes += end + 1 - start;
      lines++;
      yield { line: all.subarray(start, end), bytes, lines };
      start = end + 1;
    }
    rest = Uint8Array.from(all.subarray(start));
    if (rest.length > LINE_BYTES_MAX) {
      const place = `${file.name}:${from.line + lines + 1}`;
      throw corrupt(place, `a line of more than ${LINE_BYTES_MAX} bytes`, 'Is it JSON Lines?');
    }
  }
  if (rest.length > 0) yield { line: rest, bytes: bytes + rest.length, lines: lines + 1 };
}
