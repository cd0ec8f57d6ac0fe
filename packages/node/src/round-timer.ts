import type { Clock } from '@starling/core';

/**
 * How long rounds take on this peer's own clock, for jobs that end after a time. A round is counted
 * from when the update of the one before was measured, so that what comes after training counts
 * too, or else from its own first training: then this peer was not there before.
 */
export class RoundTimer {
  readonly #clock: Clock;
  #began: { readonly round: number; readonly at: number } | undefined;
  #measured: { readonly round: number; readonly at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Training for a round begins, for the first time or again after a lost attempt. */
  begins(round: number): void {
    if (this.#began?.round === round) return;
    const follows = this.#measured?.round === round - 1;
    this.#began = { round, at: follows ? this.#measured!.at : this.#clock.now() };
  }

  /** Whole seconds of the round so far; what rounding left over counts in the next one. */
  measure(round: number): number {
    const now = this.#clock.now();
    const { at } = this.#began?.round === round ? this.#began : { at: now };
    const seconds = Math.round((now - at) / 1000);
    this.#measured = { round, at: at + 1000 * seconds };
    return seconds;
  }
}
