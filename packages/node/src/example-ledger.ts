import { ConfigError, type JobId, type Journal, utf8 } from '@starling/core';
import { type ExampleCost, epsilonOfExamples } from '@starling/privacy';
import type { PrivacyBudget } from '@starling/rounds';

/** A training that is about to begin. */
export interface ExampleCharge {
  readonly dataset: string;
  readonly job: JobId;
  readonly cost: ExampleCost;
}

/** What trainings with local DP-SGD had of a data set. */
export interface ExamplesSpent {
  readonly dataset: string;
  /** Of each training. */
  readonly costs: readonly ExampleCost[];
}

const PREFIX = 'example-privacy/';

/**
 * What trainings gave away of single examples, on disk, by data set: an account of its own beside
 * the `PrivacyLedger`, whose unit is a whole update. A charge is written before the training
 * begins, and never taken back: whatever a training leaves behind, an update that came too late or
 * a peer's own weights, is paid for.
 */
export class ExampleLedger {
  readonly #journal: Journal;
  /** Key of the journal → cost. The same key twice is one training. */
  readonly #charges = new Map<string, ExampleCost>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** @throws ConfigError on an entry that cannot be read: what it charged would be forgotten */
  async load(): Promise<void> {
    for await (const [key, value] of this.#journal.entries(PREFIX)) {
      const cost = costOf(new TextDecoder().decode(value));
      if (cost === undefined || key.split('/').length !== 4) {
        const hint = 'Restore the state directory from a copy, or remove the data set';
        throw new ConfigError('journal', `the privacy charge ${key} cannot be read`, hint);
      }
      this.#charges.set(key, cost);
    }
  }

  /** Why the owner's budget does not cover one more training. */
  refusal({ dataset, cost }: ExampleCharge, budget: PrivacyBudget | undefined): string | undefined {
    if (budget === undefined) return undefined;
    const spent = this.#costsOf(dataset);
    const epsilon = epsilonOfExamples([...spent, cost], budget.delta);
    if (epsilon <= budget.epsilon) return undefined;
    const before = epsilonOfExamples(spent, budget.delta);
    const figures = `epsilon ${before.toFixed(3)} of ${budget.epsilon} is spent`;
    const next = `another training makes it ${epsilon.toFixed(3)}`;
    return `the privacy budget of examples of data set ${dataset} is used up: ${figures}, ${next}`;
  }

  /**
   * Charges one training, if it may be; on disk when it resolves. It counts from the call on.
   * @param training name of it, used once
   * @returns why not
   */
  async spend(
    charge: ExampleCharge,
    budget: PrivacyBudget | undefined,
    training: string,
  ): Promise<string | undefined> {
    const refusal = this.refusal(charge, budget);
    if (refusal !== undefined) return refusal;
    const { dataset, job, cost } = charge;
    const key = `${PREFIX}${encodeURIComponent(dataset)}/${job}/${training}`;
    this.#charges.set(key, cost);
    await this.#journal.put(key, utf8(`${cost.multiplier} ${cost.rate} ${cost.steps}`));
    return undefined;
  }

  /** By data set, in order. */
  spent(): readonly ExamplesSpent[] {
    const names = new Set([...this.#charges.keys()].map(datasetOf));
    return [...names].sort().map((dataset) => ({ dataset, costs: this.#costsOf(dataset) }));
  }

  #costsOf(dataset: string): readonly ExampleCost[] {
    return [...this.#charges].filter(([key]) => datasetOf(key) === dataset).map(([, cost]) => cost);
  }
}

const datasetOf = (key: string): string => decodeURIComponent(key.split('/')[1]!);

function costOf(text: string): ExampleCost | undefined {
  const [multiplier = 0, rate = 0, steps = 0, ...more] = text.split(' ').map(Number);
  const isCost = multiplier > 0 && rate > 0 && rate <= 1 && Number.isSafeInteger(steps);
  return isCost && steps > 0 && more.length === 0 ? { multiplier, rate, steps } : undefined;
}
