/** How long a child runs and is held up together: short enough that its owner sees no stutter. */
const PERIOD_MS = 100;

/** When to do something; `setTimeout` in the daemon. */
export type After = (ms: number, fire: () => void) => () => void;

const afterTimeout: After = (ms, fire) => {
  const timer = setTimeout(fire, ms);
  return () => clearTimeout(timer);
};

/**
 * Lets a process run for a part of the time: SIGSTOP and SIGCONT in turns. Unlike a quota of a
 * control group it needs no rights, and it holds all threads of the child at once.
 */
export class DutyCycle {
  readonly #share: number;
  readonly #signal: (signal: 'SIGSTOP' | 'SIGCONT') => void;
  readonly #after: After;
  #cancel: (() => void) | undefined;

  /** @param share above 0; at 1 nothing is ever held up */
  constructor(
    share: number,
    signal: (signal: 'SIGSTOP' | 'SIGCONT') => void,
    after: After = afterTimeout,
  ) {
    this.#share = share;
    this.#signal = signal;
    this.#after = after;
  }

  start(): void {
    if (this.#share < 1 && this.#cancel === undefined) this.#run();
  }

  /** Lets it run freely. */
  stop(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    this.#signal('SIGCONT');
  }

  #run(): void {
    this.#signal('SIGCONT');
    this.#cancel = this.#after(this.#share * PERIOD_MS, () => {
      this.#signal('SIGSTOP');
      this.#cancel = this.#after((1 - this.#share) * PERIOD_MS, () => this.#run());
    });
  }
}
