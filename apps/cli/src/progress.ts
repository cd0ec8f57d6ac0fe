const QUIET_MS = 2000;
const TERMINAL_MS = 200;
const LINE_MS = 10_000;

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
    const now = performance.now() - this.#began;
    const pause = process.stderr.isTTY ? TERMINAL_MS : LINE_MS;
    if (now < QUIET_MS || (this.#shown && now - this.#last < pause)) return;
    this.#last = now;
    this.#shown = true;
    const text = `${this.#what}: ${progressText(done, total, now / 1000)}`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }

  end(): void {
    if (this.#shown && process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

/** For instance `40 %, 12 s left`. */
export function progressText(done: number, total: number, seconds: number): string {
  if (!(total > 0)) return `${done} so far`;
  const left = (seconds * (total - done)) / Math.max(done, 1);
  return `${Math.floor((100 * done) / total)} %, ${Math.ceil(left)} s left`;
}
