import sliceAnsi from 'slice-ansi';

/** The part of a terminal's stream that a screen needs. */
export interface ScreenStream {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Alternate screen, hidden cursor, lines that do not wrap; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
/** At most four times a second. */
const REDRAW_MS = 250;

/**
 * A screen that is redrawn in place, on the terminal's alternate one: a resized terminal wraps
 * nothing there, and what was on it before is back afterwards.
 */
export class LiveScreen {
  readonly #stream: ScreenStream;
  readonly #render: (size: Size) => readonly string[];
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** @param render lines for a terminal of that size; what does not fit is cut off */
  constructor(stream: ScreenStream, render: (size: Size) => readonly string[]) {
    this.#stream = stream;
    this.#render = render;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#stream.write(ENTER);
    this.#stream.on('resize', this.#draw);
    // However the process ends, its terminal is as it was.
    process.on('exit', this.close);
    this.#draw();
  }

  /** Shows what has changed, soon. */
  refresh(): void {
    if (!this.#isOpen || this.#timer !== undefined) return;
    const wait = this.#drawnAt + REDRAW_MS - performance.now();
    this.#timer = setTimeout(this.#draw, Math.max(0, wait));
  }

  readonly close = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stream.off('resize', this.#draw);
    process.off('exit', this.close);
    this.#stream.write(LEAVE);
  };

  readonly #draw = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawnAt = performance.now();
    const size = sizeOf(this.#stream);
    const lines = this.#render(size)
      .slice(0, size.rows)
      // Cleared first: after a character in the last column, the erasing would take it away.
      .map((line) => `\x1b[2K${sliceAnsi(line, 0, size.columns)}`);
    this.#stream.write(
      `\x1b[H${lines.join('\r\n')}${lines.length < size.rows ? '\r\n\x1b[J' : ''}`,
    );
  };
}

/** Of a terminal that does not know its size, the usual one. */
export const sizeOf = ({ columns, rows }: ScreenStream): Size => ({
  columns: columns || 80,
  rows: rows || 24,
});
