/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Numbers stand on the right. */
  readonly align?: 'right';
  /** Gives way when the terminal is too narrow; the last such column first. */
  readonly flexible?: true;
}

const GAP = '  ';
const FLEXIBLE_MIN = 8;

/**
 * Lines of a table, its titles first.
 * @param width columns of the terminal; undefined leaves every value whole
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width?: number,
): readonly string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => oneLine(value(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => lengthOf(line[i]!))));
  if (width !== undefined) shrink(widths, columns, width);
  return cells.map((line) =>
    line
      .map((cell, i) => pad(cut(cell, widths[i]!), widths[i]!, columns[i]!.align))
      .join(GAP)
      .trimEnd(),
  );
}

/** `text` in at most `width` characters, with an ellipsis where something is missing. */
export function cut(text: string, width: number): string {
  if (lengthOf(text) <= width) return text;
  return `${[...text].slice(0, Math.max(0, width - 1)).join('')}…`;
}

function shrink<Row>(widths: number[], columns: readonly Column<Row>[], width: number): void {
  let excess = widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length) - width;
  for (const [i, { flexible }] of [...columns.entries()].reverse()) {
    if (flexible === undefined || excess <= 0) continue;
    const given = Math.min(excess, Math.max(0, widths[i]! - FLEXIBLE_MIN));
    widths[i]! -= given;
    excess -= given;
  }
}

function pad(text: string, width: number, align: 'right' | undefined): string {
  const blanks = ' '.repeat(Math.max(0, width - lengthOf(text)));
  return align === 'right' ? `${blanks}${text}` : `${text}${blanks}`;
}

const lengthOf = (text: string): number => [...text].length;

/**
 * Names of jobs and data sets come from other peers: no line break, and nothing that a terminal
 * would obey.
 */
export const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
