import { type Column, cut, formatTable } from './table.ts';
import { canRedraw, type Outlet, type Style, styled, wantsColour } from './terminal/style.ts';

/** Results go to standard output, everything else to standard error. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);
export const printJson = (value: unknown): void => print(JSON.stringify(value));
export const note = (line: string): void => void process.stderr.write(`${line}\n`);

export function printTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
  for (const line of formatTable(columns, rows, terminalWidth())) print(line);
}

/** A name and its value on each line, the values below each other. */
export function printFacts(facts: readonly (readonly [name: string, value: string])[]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) print(`${name.padEnd(width)}  ${value}`);
}

/** Columns of the terminal; undefined when standard output is a file or a pipe. */
const terminalWidth = (): number | undefined =>
  process.stdout.isTTY ? process.stdout.columns : undefined;

/**
 * @param outlet where the text goes; on a terminal it is coloured, unless the environment says
 *   otherwise
 */
export const coloured = (style: Style, text: string, outlet: Outlet = process.stdout): string =>
  wantsColour(outlet, process.env) ? styled(style, text) : text;

/** What its reader should know, on standard error. */
export const warn = (text: string): void => note(coloured('yellow', text, process.stderr));

/** A line that the next one replaces: on a terminal only, elsewhere a line like any other. */
export class LiveLine {
  #shown = false;

  show(text: string): void {
    if (!canRedraw(process.stdout, process.env)) {
      print(text);
      return;
    }
    process.stdout.write(`\r\x1b[K${cut(text, (process.stdout.columns ?? 80) - 1)}`);
    this.#shown = true;
  }

  /** Removes the line before something that stays is printed. */
  clear(): void {
    if (this.#shown) process.stdout.write('\r\x1b[K');
    this.#shown = false;
  }
}

export const percent = (part: number | null): string =>
  part === null ? '–' : `${(100 * part).toFixed(2)} %`;

export const decimal = (value: number | null, digits = 4): string =>
  value === null ? '–' : value.toFixed(digits);

export const shortHash = (hash: string): string => hash.slice(0, 12);

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

export function bytesText(count: number): string {
  if (count < 1024) return `${Math.round(count)} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KiB`;
  if (count < 1024 ** 3) return `${(count / 1024 ** 2).toFixed(1)} MiB`;
  return `${(count / 1024 ** 3).toFixed(1)} GiB`;
}
