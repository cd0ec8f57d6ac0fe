import type { GuaranteeView, PrivacyView } from '@starling/control';
import type { JobId } from '@starling/core';
import type { Spent } from '@starling/node';
import { epsilonOf, rhoOf } from '@starling/privacy';
import type { Guarantee, PrivacyBudget } from '@starling/rounds';

/** δ at which ε is told where no budget says otherwise. */
const DELTA = 1e-5;

export interface PrivacyFacts {
  readonly spent: readonly Spent[];
  readonly budgets: ReadonlyMap<string, PrivacyBudget>;
  /** Offered here, whether anything was spent of them or not. */
  readonly datasets: readonly string[];
  readonly nameOf: (job: JobId) => string | undefined;
}

/** What each data set has given away, and may still. */
export function privacyView({ spent, budgets, datasets, nameOf }: PrivacyFacts): PrivacyView {
  const names = new Set([...datasets, ...budgets.keys(), ...spent.map(({ dataset }) => dataset)]);
  const views = [...names].sort().map((dataset) => {
    const own = spent.filter((entry) => entry.dataset === dataset);
    const budget = budgets.get(dataset) ?? null;
    const delta = budget?.delta ?? DELTA;
    const rho = own.reduce((sum, entry) => sum + entry.rho, 0);
    const epsilon = epsilonOf(rho, delta);
    const left = budget && {
      epsilon: Math.max(0, budget.epsilon - epsilon),
      rho: Math.max(0, rhoOf(budget.epsilon, delta) - rho),
    };
    const jobs = own.map((entry) => ({
      ...{ job: entry.job, name: nameOf(entry.job) ?? null, updates: entry.updates },
      ...{ epsilon: epsilonOf(entry.rho, delta), rho: entry.rho },
    }));
    return { dataset, budget, epsilon, delta, rho, left, jobs };
  });
  return { datasets: views };
}

export const guaranteeView = (guarantee: Guarantee | undefined): GuaranteeView | null =>
  guarantee ?? null;
