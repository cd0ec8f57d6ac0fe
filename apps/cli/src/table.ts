import sliceAnsi from 'slice-ansi';
import stringWidth from 'string-width';

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
/** Where the flexible columns do not suffice, the others give way down to this. */
const RIGID_MIN = 4;

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
  return cells
    .map((line) =>
      line
        .map((cell, i) => pad(cut(cell, widths[i]!), widths[i]!, columns[i]!.align))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => (width === undefined ? line : cut(line, width)));
}

/** `text` in at most `width` columns, with an ellipsis where something is missing. */
export function cut(text: string, width: number): string {
  if (lengthOf(text) <= width) return text;
  return width <= 0 ? '' : `${sliceAnsi(text, 0, width - 1)}…`;
}

function shrink<Row>(widths: number[], columns: readonly Column<Row>[], width: number): void {
  const give = (isFlexible: boolean, least: number): void => {
    let excess = widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length) - width;
    for (const [i, { flexible }] of [...columns.entries()].reverse()) {
      if ((flexible === true) !== isFlexible || excess <= 0) continue;
      const given = Math.min(excess, Math.max(0, widths[i]! - least));
      widths[i]! -= given;
      excess -= given;
    }
  };
  give(true, FLEXIBLE_MIN);
  give(false, RIGID_MIN);
}

function pad(text: string, width: number, align: 'right' | undefined): string {
  const blanks = ' '.repeat(Math.max(0, width - lengthOf(text)));
  return align === 'right' ? `${blanks}${text}` : `${text}${blanks}`;
}

/** Columns of a terminal that `text` takes: two for a character of Chinese or Japanese. */
export const lengthOf = (text: string): number =>
  /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);

/**
 * Names of jobs and data sets come from other peers: no line break, and nothing that a terminal
 * would obey.
 */
export const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
