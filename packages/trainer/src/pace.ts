/** Seconds that a run should take: after each one progress can be told and the work be kept. */
const RUN_SECONDS = 1;
/** Steps of the first run, from which the others are measured. */
const FIRST_STEPS = 4;
/** What is left is done in one run if it takes no longer than so many usual ones. */
const LAST_RUNS = 2;

/**
 * How many steps to do in one run: few enough that a training of minutes can tell how far it is,
 * and all at once where they take a second or two. It changes no number, only where runs end.
 */
export class Pace {
  #secondsPerStep: number | undefined;

  next(left: number): number {
    if (this.#secondsPerStep === undefined) return Math.min(left, FIRST_STEPS);
    const usual = Math.max(1, Math.round(RUN_SECONDS / this.#secondsPerStep));
    return left <= LAST_RUNS * usual ? left : usual;
  }

  record(steps: number, seconds: number): void {
    const now = seconds / steps;
    // A run's first steps are slow: memory is taken, caches are cold.
    this.#secondsPerStep =
      this.#secondsPerStep === undefined ? now : (this.#secondsPerStep + now) / 2;
  }
}
