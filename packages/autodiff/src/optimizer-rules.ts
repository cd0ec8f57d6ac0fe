import { assert, unreachable } from '@starling/core';
import type { Ops } from './ops.ts';
import type { OptimizerSettings } from './optimizers.ts';

/** By what the means of one or several steps are corrected, as `biasCorrections` has it. */
export interface Corrections {
  readonly root: string;
  readonly ratio: string;
}

/**
 * How an optimiser that counts learns where it is: the name of the step's number, counted from 1,
 * or of the corrections that follow from it; undefined for one that does not count.
 */
export type StepNumber = string | Corrections | undefined;

/** One weight at one step. */
export interface WeightStep {
  readonly weight: string;
  readonly gradient: string;
  /** Its states before the step, in the order of `Optimizer.states`. */
  readonly states: readonly string[];
  /** What `Optimizer.scalars` made for this step. */
  readonly scalars: readonly string[];
}

export interface Optimizer {
  /** Names of what a weight carries from step to step, each of its shape and 0 at first. */
  readonly states: readonly string[];
  /** Whether `scalars` reads the step's number. */
  readonly counts: boolean;
  /**
   * Numbers that are the same for all weights. They have one element for each step where rate or
   * corrections have, else they are scalars.
   */
  readonly scalars: (g: Ops, rate: string, step: StepNumber) => readonly string[];
  readonly update: (
    g: Ops,
    step: WeightStep,
  ) => { readonly weight: string; readonly states: readonly string[] };
}

export interface OptimizerForm {
  /** The gradient comes multiplied by the learning rate: SGD at a constant rate can take it so. */
  readonly scaled?: boolean;
}

/** The rule of an optimiser as graph nodes. */
export function optimizerRule(settings: OptimizerSettings, form: OptimizerForm = {}): Optimizer {
  switch (settings.optimizer) {
    case 'sgd':
      return sgd(settings, form.scaled ?? false);
    case 'adam':
    case 'adamw':
      return adam(settings);
    case 'rmsprop':
      return rmsprop(settings);
    case 'adagrad':
      return adagrad(settings);
    default:
      return unreachable(settings.optimizer);
  }
}

/** Gradient with L2 weight decay. */
const decayed = (g: Ops, { weight, gradient }: WeightStep, factor: string | undefined) =>
  factor === undefined ? gradient : g.add(gradient, g.mul(weight, factor));

const constantFactor = (g: Ops, value: number) => (value === 0 ? undefined : g.number(value));

/**
 * v ← μ·v + d, w ← w − rate·v with d the decayed gradient; Nesterov steps by d + μ·v. Scaled, `v`
 * and `d` hold the rate already, which saves a pass over all weights.
 */
function sgd({ momentum, nesterov, weightDecay }: OptimizerSettings, scaled: boolean): Optimizer {
  return {
    states: momentum === 0 ? [] : ['velocity'],
    counts: false,
    scalars: (g, rate) => {
      if (!scaled) return [rate];
      return weightDecay === 0 ? [] : [g.scale(rate, weightDecay)];
    },
    update: (g, step) => {
      const { weight, states, scalars } = step;
      const d = decayed(g, step, scaled ? scalars[0] : constantFactor(g, weightDecay));
      const scaledStep = (value: string) => (scaled ? value : g.mul(value, scalars[0]!));
      if (momentum === 0) return { weight: g.sub(weight, scaledStep(d)), states: [] };
      const velocity = g.add(g.scale(states[0]!, momentum), d);
      const ahead = nesterov ? g.add(d, g.scale(velocity, momentum)) : velocity;
      return { weight: g.sub(weight, scaledStep(ahead)), states: [velocity] };
    },
  };
}

/**
 * Adam (Kingma and Ba 2015) with ε outside the root, and AdamW (Loshchilov and Hutter 2019). The
 * means are carried without their factors 1 − β: m ← β₁·m + d and v ← β₂·v + d², and both these
 * factors and the bias corrections are in two numbers of each step, which saves three passes over
 * all weights.
 */
function adam({ optimizer, beta1, beta2, epsilon, weightDecay }: OptimizerSettings): Optimizer {
  const decoupled = optimizer === 'adamw' && weightDecay !== 0;
  return {
    states: ['mean', 'square'],
    counts: true,
    scalars: (g, rate, step) => {
      assert(step !== undefined, `${optimizer} counts its steps`);
      const { root, ratio } =
        typeof step === 'string' ? correctionsAt(g, { beta1, beta2 }, step) : step;
      const size = g.mul(rate, ratio);
      const floor = g.scale(root, epsilon);
      return decoupled
        ? [size, floor, g.sub(g.number(1), g.scale(rate, weightDecay))]
        : [size, floor];
    },
    update: (g, step) => {
      const { weight, states, scalars } = step;
      const l2 = decoupled ? undefined : constantFactor(g, weightDecay);
      const d = decayed(g, step, l2);
      const mean = g.add(g.scale(states[0]!, beta1), d);
      const square = g.add(g.scale(states[1]!, beta2), g.square(d));
      const direction = g.div(mean, g.add(g.call('Sqrt', [square]), scalars[1]!));
      const kept = decoupled ? g.mul(weight, scalars[2]!) : weight;
      const next = g.sub(kept, g.mul(direction, scalars[0]!));
      return { weight: next, states: [mean, square] };
    },
  };
}

type Betas = Pick<OptimizerSettings, 'beta1' | 'beta2'>;

/**
 * With c₁ = (1 − β₁ᵗ)/(1 − β₁) and c₂ = (1 − β₂ᵗ)/(1 − β₂): √c₂ and √c₂/c₁, by which ε and the
 * learning rate are multiplied in place of dividing both means.
 * @param step counted from 1
 */
export function biasCorrections({ beta1, beta2 }: Betas, step: number) {
  const sum = (beta: number) => (1 - beta ** step) / (1 - beta);
  const root = Math.sqrt(sum(beta2));
  return { root, ratio: root / sum(beta1) };
}

/** The same in the graph, from the name of the step's number. */
function correctionsAt(g: Ops, { beta1, beta2 }: Betas, step: string): Corrections {
  const sum = (beta: number) => {
    const power = g.call('Pow', [g.number(beta), step]);
    return g.scale(g.sub(g.number(1), power), 1 / (1 - beta));
  };
  const root = g.call('Sqrt', [sum(beta2)]);
  return { root, ratio: g.div(root, sum(beta1)) };
}

/**
 * v ← α·v + d², w ← w − rate·d/(√((1 − α)·v) + ε) (Tieleman and Hinton 2012), with momentum on what
 * the rate multiplies. As in `adam`, 1 − α stands in the numbers of a step.
 */
function rmsprop({ alpha, momentum, epsilon, weightDecay }: OptimizerSettings): Optimizer {
  const root = Math.sqrt(1 - alpha);
  return {
    states: momentum === 0 ? ['square'] : ['square', 'velocity'],
    counts: false,
    scalars: (g, rate) => [g.scale(rate, 1 / root)],
    update: (g, step) => {
      const { weight, states, scalars } = step;
      const d = decayed(g, step, constantFactor(g, weightDecay));
      const square = g.add(g.scale(states[0]!, alpha), g.square(d));
      const floor = g.number(epsilon / root);
      const direction = g.div(d, g.add(g.call('Sqrt', [square]), floor));
      if (momentum === 0) {
        return { weight: g.sub(weight, g.mul(direction, scalars[0]!)), states: [square] };
      }
      const velocity = g.add(g.scale(states[1]!, momentum), direction);
      const next = g.sub(weight, g.mul(velocity, scalars[0]!));
      return { weight: next, states: [square, velocity] };
    },
  };
}

/** v ← v + d², w ← w − rate·d/(√v + ε) (Duchi, Hazan and Singer 2011). */
function adagrad({ epsilon, weightDecay }: OptimizerSettings): Optimizer {
  return {
    states: ['square'],
    counts: false,
    scalars: (_, rate) => [rate],
    update: (g, step) => {
      const d = decayed(g, step, constantFactor(g, weightDecay));
      const square = g.add(step.states[0]!, g.square(d));
      const direction = g.div(d, g.add(g.call('Sqrt', [square]), g.number(epsilon)));
      const next = g.sub(step.weight, g.mul(direction, step.scalars[0]!));
      return { weight: next, states: [square] };
    },
  };
}
