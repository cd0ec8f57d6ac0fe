import { lengthOf } from './table.ts';
import { bar } from './terminal/bar.ts';
import { canRedraw, isUnicode } from './terminal/style.ts';

const QUIET_MS = 2000;
const TERMINAL_MS = 200;
const LINE_MS = 10_000;
const BAR_COLUMNS_MAX = 40;

/**
 * How far something long is, on standard error: nothing for two seconds, then a line that the next
 * one replaces or, where standard error is no terminal, a line now and then.
 */
export class ProgressLine {
  readonly #what: string;
  readonly #began = performance.now();
  #last = 0;
  #shown = false;

  constructor(what: string) {
    this.#what = what;
  }

  /** @param total in the unit of `done`; NaN where nobody knows it yet */
  update(done: number, total: number): void {
    this.#show((seconds, columns) => {
      const text = `${this.#what}: ${progressText(done, total, seconds)}`;
      const room = Math.min(BAR_COLUMNS_MAX, columns - lengthOf(text) - 2);
      if (!(total > 0) || room < 5) return text;
      return `${bar(done / total, room, isUnicode(process.env))} ${text}`;
    });
  }

  /** Where nothing tells how far it is: since when it goes on. */
  wait(): void {
    this.#show((seconds) => `${this.#what}: ${Math.floor(seconds)} s so far`);
  }

  /** @param textOf the line; the columns are 0 where there is no terminal */
  #show(textOf: (seconds: number, columns: number) => string): void {
    const isLive = canRedraw(process.stderr, process.env);
    const now = performance.now() - this.#began;
    const pause = isLive ? TERMINAL_MS : LINE_MS;
    if (now < QUIET_MS || (this.#shown && now - this.#last < pause)) return;
    this.#last = now;
    this.#shown = true;
    const text = textOf(now / 1000, isLive ? (process.stderr.columns ?? 80) : 0);
    process.stderr.write(isLive ? `\r\x1b[K${text}` : `${text}\n`);
  }

  end(): void {
    if (this.#shown && canRedraw(process.stderr, process.env)) process.stderr.write('\r\x1b[K');
  }
}

/** Shows that something goes on of which nobody knows how far it is. */
export async function whileWaiting<T>(what: string, work: Promise<T>): Promise<T> {
  const line = new ProgressLine(what);
  const timer = setInterval(() => line.wait(), TERMINAL_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    line.end();
  }
}

/** For instance `40 %, 12 s left`. */
export function progressText(done: number, total: number, seconds: number): string {
  if (!(total > 0)) return `${done} so far`;
  const left = (seconds * (total - done)) / Math.max(done, 1);
  return `${Math.floor((100 * done) / total)} %, ${Math.ceil(left)} s left`;
}
