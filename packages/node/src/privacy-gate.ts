import type { ExampleCost } from '@starling/privacy';
import type { Job } from '@starling/protocol-rounds';
import type { Guarantee, Policy } from '@starling/rounds';
import type { PrivacyAccounts } from './privacy-accounts.ts';

/** Asked before a job may have an update of a data set. */
export interface PrivacyGate {
  /**
   * Why it may have no further one.
   * @param hidesExamples whether trainings on it have local DP-SGD, which has an account of its own
   */
  refusal(dataset: string, hidesExamples: boolean): string | undefined;
  /** Charges a training with local DP-SGD; the answer is why it must not begin. */
  begin(dataset: string, cost: ExampleCost, training: string): Promise<string | undefined>;
  /** Charges the update, on disk when it resolves; the answer is why it must not be sent. */
  spend(dataset: string, update: string, hidesExamples: boolean): Promise<string | undefined>;
}

interface GateParts {
  readonly job: Job;
  readonly accounts: PrivacyAccounts;
  readonly policy: () => Policy;
  /** Known when the model is; undefined for a job without noise. */
  readonly guarantee: () => Guarantee | undefined;
}

export function privacyGate({ job, accounts, policy, guarantee }: GateParts): PrivacyGate {
  const { updates, examples } = accounts;
  const chargeOf = (dataset: string, hidesExamples: boolean) => {
    const { rho, updatesMax = 0 } = guarantee() ?? {};
    return { dataset, job: job.id, rho, updatesMax, hidesExamples };
  };
  const budgetOf = (dataset: string) => policy().privacyBudgets?.get(dataset);
  return {
    refusal: (dataset, hides) => updates.refusal(chargeOf(dataset, hides), budgetOf(dataset)),
    begin: (dataset, cost, training) =>
      examples.spend({ dataset, job: job.id, cost }, budgetOf(dataset), training),
    spend: (dataset, update, hides) =>
      updates.spend(chargeOf(dataset, hides), budgetOf(dataset), update),
  };
}
