import { ConfigError, type JobId, type Journal, utf8 } from '@starling/core';
import { epsilonOf } from '@starling/privacy';
import type { PrivacyBudget } from '@starling/rounds';

/** An update that is about to leave this peer. */
export interface Charge {
  readonly dataset: string;
  readonly job: JobId;
  /** zCDP of the update; undefined when the job adds no noise. */
  readonly rho: number | undefined;
  /** Whether local DP-SGD hides its examples, which the `ExampleLedger` charges. */
  readonly hidesExamples?: boolean;
  /** Updates that the job's guarantee covers. */
  readonly updatesMax: number;
}

/** What one job had of one data set. */
export interface Spent {
  readonly dataset: string;
  readonly job: JobId;
  readonly updates: number;
  readonly rho: number;
}

const PREFIX = 'privacy/';

/**
 * What a peer's data sets have given away, update by update, on disk: the participant is the
 * accountant, not whoever launched the job. A charge is written before the JOIN of its update is
 * sent, and never taken back: not when the update is burnt, nor when the chain is rolled back.
 */
export class PrivacyLedger {
  readonly #journal: Journal;
  /** Key of the journal → ρ. The same key twice is one update. */
  readonly #charges = new Map<string, number>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** @throws ConfigError on an entry that cannot be read: what it charged would be forgotten */
  async load(): Promise<void> {
    for await (const [key, value] of this.#journal.entries(PREFIX)) {
      const rho = Number(new TextDecoder().decode(value));
      if (!(rho >= 0 && Number.isFinite(rho)) || key.split('/').length !== 4) {
        const hint = 'Restore the state directory from a copy, or remove the data set';
        throw new ConfigError('journal', `the privacy charge ${key} cannot be read`, hint);
      }
      this.#charges.set(key, rho);
    }
  }

  /** Why the owner's budget or the job's guarantee does not cover one more update. */
  refusal(charge: Charge, budget: PrivacyBudget | undefined): string | undefined {
    const { dataset, job, rho, updatesMax, hidesExamples = false } = charge;
    if (rho === undefined) {
      const reason = `data set ${dataset} has a privacy budget, and the job adds no noise`;
      return budget === undefined || hidesExamples ? undefined : reason;
    }
    const given = this.#sum((entry) => entry.job === job).updates;
    if (given >= updatesMax)
      return `gave the ${updatesMax} updates that the job's guarantee covers`;
    if (budget === undefined) return undefined;
    const spent = this.#sum((entry) => entry.dataset === dataset).rho;
    const epsilon = epsilonOf(spent + rho, budget.delta);
    if (epsilon <= budget.epsilon) return undefined;
    const before = epsilonOf(spent, budget.delta);
    const figures = `epsilon ${before.toFixed(3)} of ${budget.epsilon} is spent`;
    const next = `another update makes it ${epsilon.toFixed(3)}`;
    return `the privacy budget of data set ${dataset} is used up: ${figures}, ${next}`;
  }

  /**
   * Charges one update, if it may be; on disk when it resolves. It counts from the call on, so
   * that two jobs cannot spend the same rest.
   * @returns why not
   */
  async spend(
    charge: Charge,
    budget: PrivacyBudget | undefined,
    update: string,
  ): Promise<string | undefined> {
    const { dataset, job, rho } = charge;
    const refusal = this.refusal(charge, budget);
    if (refusal !== undefined || rho === undefined) return refusal;
    const key = `${PREFIX}${encodeURIComponent(dataset)}/${job}/${update}`;
    this.#charges.set(key, rho);
    await this.#journal.put(key, utf8(String(rho)));
    return undefined;
  }

  /** By data set and job, in order of both. */
  spent(): readonly Spent[] {
    const totals = new Map<string, Spent>();
    for (const [key, rho] of this.#charges) {
      const { dataset, job } = entryOf(key);
      const before = totals.get(`${dataset}/${job}`) ?? { updates: 0, rho: 0 };
      const total = { dataset, job, updates: before.updates + 1, rho: before.rho + rho };
      totals.set(`${dataset}/${job}`, total);
    }
    return [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, total]) => total);
  }

  #sum(counts: (entry: Spent) => boolean): { readonly updates: number; readonly rho: number } {
    return this.spent()
      .filter(counts)
      .reduce((sum, { updates, rho }) => ({ updates: sum.updates + updates, rho: sum.rho + rho }), {
        updates: 0,
        rho: 0,
      });
  }
}

function entryOf(key: string): { readonly dataset: string; readonly job: JobId } {
  const [, dataset, job] = key.split('/') as [string, string, string, string];
  return { dataset: decodeURIComponent(dataset), job: job as JobId };
}
