import type { Job } from '@starling/protocol-rounds';
import type { Guarantee, Policy } from '@starling/rounds';
import type { PrivacyLedger } from './privacy-ledger.ts';

/** Asked before a job may have an update of a data set. */
export interface PrivacyGate {
  /** Why it may have no further one. */
  refusal(dataset: string): string | undefined;
  /** Charges the update, on disk when it resolves; the answer is why it must not be sent. */
  spend(dataset: string, update: string): Promise<string | undefined>;
}

interface GateParts {
  readonly job: Job;
  readonly ledger: PrivacyLedger;
  readonly policy: () => Policy;
  /** Known when the model is; undefined for a job without noise. */
  readonly guarantee: () => Guarantee | undefined;
}

export function privacyGate({ job, ledger, policy, guarantee }: GateParts): PrivacyGate {
  const chargeOf = (dataset: string) => {
    const { rho, updatesMax = 0 } = guarantee() ?? {};
    return { dataset, job: job.id, rho, updatesMax };
  };
  const budgetOf = (dataset: string) => policy().privacyBudgets?.get(dataset);
  return {
    refusal: (dataset) => ledger.refusal(chargeOf(dataset), budgetOf(dataset)),
    spend: (dataset, update) => ledger.spend(chargeOf(dataset), budgetOf(dataset), update),
  };
}
