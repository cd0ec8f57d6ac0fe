import { assert, unreachable } from '@starling/core';
import type { JobState } from './job-state.ts';
import { globalVariate, type Scaffold } from './scaffold.ts';

/** What is done with a round's mean update. The name is the field's; no server exists. */
export type ServerOptimizer =
  | Scaffold
  /** model += learningRate · mean (McMahan et al. 2017; with learning rate 1 the plain mean). */
  | { readonly kind: 'fedavg'; readonly learningRate: number }
  /** m = momentum · m + mean; model += learningRate · m (Hsu et al. 2019). */
  | { readonly kind: 'fedavgm'; readonly learningRate: number; readonly momentum: number }
  /**
   * m = momentum · m + mean; model += learningRate · (mean + momentum · m): the outer Nesterov
   * momentum of DiLoCo (Douillard et al. 2023, algorithm 1).
   */
  | { readonly kind: 'nesterov'; readonly learningRate: number; readonly momentum: number }
  /** Reddi et al. 2021, algorithm 2, without bias correction as there. */
  | {
      readonly kind: 'fedadam' | 'fedyogi' | 'fedadagrad';
      readonly learningRate: number;
      readonly beta1: number;
      /** Not of FedAdagrad, which forgets nothing. */
      readonly beta2: number;
      /** Least denominator, and the root of the second moment's first value. */
      readonly tau: number;
    };

export const FEDAVG: ServerOptimizer = { kind: 'fedavg', learningRate: 1 };

/** The state of round 0. `model` is trainable weights, then buffers. */
export function initialState(
  model: Float32Array,
  trainable: number,
  optimizer: ServerOptimizer,
): JobState {
  assert(trainable >= 0 && trainable <= model.length, `trainable: ${trainable}`);
  const zeros = (): Float32Array => new Float32Array(trainable);
  switch (optimizer.kind) {
    case 'fedavg':
      return { round: 0, model, trainable, moments: [] };
    case 'fedavgm':
    case 'nesterov':
    case 'scaffold':
      return { round: 0, model, trainable, moments: [zeros()] };
    case 'fedadam':
    case 'fedyogi':
    case 'fedadagrad': {
      const second = zeros().fill(optimizer.tau * optimizer.tau);
      return { round: 0, model, trainable, moments: [zeros(), second] };
    }
    default:
      return unreachable(optimizer);
  }
}

/**
 * The state after a round whose mean update is `mean`; nothing is changed in place. Only + − × ÷
 * and Math.sqrt in float64, by ascending index, each result rounded once to float32 when it is
 * stored: every engine gets the same bits, so their hash can be agreed on (design decision 6b).
 * Buffers, past `trainable`, take the plain mean.
 * @param steps how much longer than the mean of normalised updates the step is, for weights alone:
 *   FedNova's effective steps over the reference
 */
export function applyMean(
  state: JobState,
  mean: Float64Array,
  optimizer: ServerOptimizer = FEDAVG,
  steps = 1,
): JobState {
  const { model, trainable } = state;
  assert(mean.length === model.length, `mean of ${mean.length} for a model of ${model.length}`);
  const next = new Float32Array(model.length);
  // Scaffold's c is of normalised updates, whatever their steps.
  const perStep = mean.subarray(0, trainable);
  const moved = steps === 1 ? perStep : perStep.map((value) => value * steps);
  const moments =
    optimizer.kind === 'scaffold'
      ? scaffoldStep(next, state, { perStep, moved }, optimizer)
      : step(next, state, moved, optimizer);
  for (let i = trainable; i < model.length; i++) next[i] = model[i]! + mean[i]!;
  return { round: state.round + 1, model: next, trainable, moments };
}

/** The three of Reddi et al. 2021 differ in how they remember squares, and in nothing else. */
const SECOND_MOMENTS = {
  fedadam: (before: number, square: number, beta2: number) => beta2 * before + (1 - beta2) * square,
  fedyogi: (before: number, square: number, beta2: number) => {
    const sign = before > square ? 1 : before < square ? -1 : 0;
    return before - (1 - beta2) * square * sign;
  },
  fedadagrad: (before: number, square: number) => before + square,
} as const;

/**
 * x ← x + η_g · mean(Δyᵢ) and c ← c + |S|/N · mean(cᵢ⁺ − cᵢ), with cᵢ⁺ − cᵢ = −c − Δyᵢ/(K·η).
 */
function scaffoldStep(
  next: Float32Array,
  state: JobState,
  { perStep, moved }: { readonly perStep: Float64Array; readonly moved: Float64Array },
  { learningRate, localRate, localSteps, participation }: Scaffold,
): readonly Float32Array[] {
  const { model, trainable } = state;
  const before = globalVariate(state);
  const c = new Float32Array(trainable);
  const distance = localSteps * localRate;
  for (let i = 0; i < trainable; i++) {
    next[i] = model[i]! + learningRate * moved[i]!;
    c[i] = before[i]! + participation * (-before[i]! - perStep[i]! / distance);
  }
  return [c];
}

/** Fills the trainable part of `next` and gives the new moments. */
function step(
  next: Float32Array,
  { model, trainable, moments }: JobState,
  mean: Float64Array,
  optimizer: Exclude<ServerOptimizer, Scaffold>,
): readonly Float32Array[] {
  const rate = optimizer.learningRate;
  switch (optimizer.kind) {
    case 'fedavg': {
      assert(moments.length === 0, 'state of another optimiser');
      for (let i = 0; i < trainable; i++) next[i] = model[i]! + rate * mean[i]!;
      return [];
    }
    case 'fedavgm':
    case 'nesterov': {
      const [before] = moments;
      assert(before !== undefined && moments.length === 1, 'state of another optimiser');
      const { momentum } = optimizer;
      const looksAhead = optimizer.kind === 'nesterov';
      const velocity = new Float32Array(trainable);
      for (let i = 0; i < trainable; i++) {
        velocity[i] = momentum * before[i]! + mean[i]!;
        const direction = looksAhead ? mean[i]! + momentum * velocity[i]! : velocity[i]!;
        next[i] = model[i]! + rate * direction;
      }
      return [velocity];
    }
    case 'fedadam':
    case 'fedyogi':
    case 'fedadagrad': {
      const [firstBefore, secondBefore] = moments;
      const both = firstBefore !== undefined && secondBefore !== undefined;
      assert(both && moments.length === 2, 'state of another optimiser');
      const { beta1, tau } = optimizer;
      const accumulate = SECOND_MOMENTS[optimizer.kind];
      const [first, second] = [new Float32Array(trainable), new Float32Array(trainable)];
      for (let i = 0; i < trainable; i++) {
        const delta = mean[i]!;
        first[i] = beta1 * firstBefore[i]! + (1 - beta1) * delta;
        second[i] = accumulate(secondBefore[i]!, delta * delta, optimizer.beta2);
        next[i] = model[i]! + (rate * first[i]!) / (Math.sqrt(second[i]!) + tau);
      }
      return [first, second];
    }
    default:
      return unreachable(optimizer);
  }
}
