import type { GuaranteeView, PrivacyView } from '@starling/control';
import type { JobId } from '@starling/core';
import type { PrivacySpent } from '@starling/node';
import { epsilonOf, epsilonOfExamples, rhoOf } from '@starling/privacy';
import type { ExampleNoise, Guarantee, Policy, PrivacyBudget } from '@starling/rounds';

/** δ at which ε is told where no budget says otherwise. */
const DELTA = 1e-5;

export interface PrivacyFacts {
  readonly spent: PrivacySpent;
  readonly policy: Pick<Policy, 'privacyBudgets' | 'exampleNoise'>;
  /** Offered here, whether anything was spent of them or not. */
  readonly datasets: readonly string[];
  readonly nameOf: (job: JobId) => string | undefined;
}

/** What each data set has given away, and may still. */
export function privacyView({ spent, policy, datasets, nameOf }: PrivacyFacts): PrivacyView {
  const budgets: ReadonlyMap<string, PrivacyBudget> = policy.privacyBudgets ?? new Map();
  const noises: ReadonlyMap<string, ExampleNoise> = policy.exampleNoise ?? new Map();
  const charged = [...spent.updates, ...spent.examples].map(({ dataset }) => dataset);
  const names = new Set([...datasets, ...budgets.keys(), ...noises.keys(), ...charged]);
  const views = [...names].sort().map((dataset) => {
    const own = spent.updates.filter((entry) => entry.dataset === dataset);
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
    const examples = examplesView(spent, { dataset, delta, noise: noises.get(dataset) });
    return { dataset, budget, epsilon, delta, rho, left, jobs, examples };
  });
  return { datasets: views };
}

interface ExamplesQuestion {
  readonly dataset: string;
  readonly delta: number;
  readonly noise: ExampleNoise | undefined;
}

/** Null where local DP-SGD neither is nor was. */
function examplesView({ examples }: PrivacySpent, { dataset, delta, noise }: ExamplesQuestion) {
  const costs = examples.find((entry) => entry.dataset === dataset)?.costs ?? [];
  if (costs.length === 0 && noise === undefined) return null;
  const epsilon = epsilonOfExamples(costs, delta);
  return { noise: noise ?? null, trainings: costs.length, epsilon };
}

export const guaranteeView = (guarantee: Guarantee | undefined): GuaranteeView | null =>
  guarantee ?? null;
