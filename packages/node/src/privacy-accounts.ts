import type { Journal } from '@starling/core';
import { ExampleLedger, type ExamplesSpent } from './example-ledger.ts';
import { PrivacyLedger, type Spent } from './privacy-ledger.ts';

/** What data sets have given away. */
export interface PrivacySpent {
  /** In jobs with noise, by data set and job. */
  readonly updates: readonly Spent[];
  /** Of single examples, where local DP-SGD hides them. */
  readonly examples: readonly ExamplesSpent[];
}

/** Both accounts of a peer: each has a unit of its own, and the owner's budget bounds each. */
export class PrivacyAccounts {
  readonly updates: PrivacyLedger;
  readonly examples: ExampleLedger;

  constructor(journal: Journal) {
    this.updates = new PrivacyLedger(journal);
    this.examples = new ExampleLedger(journal);
  }

  /** @throws ConfigError on an entry that cannot be read */
  async load(): Promise<void> {
    await this.updates.load();
    await this.examples.load();
  }

  spent(): PrivacySpent {
    return { updates: this.updates.spent(), examples: this.examples.spent() };
  }
}
