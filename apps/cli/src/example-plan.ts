import { planSamples } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import { epsilonOfExamples, noiseForExamples } from '@starling/privacy';

export interface ExampleQuestion {
  readonly epsilon: number;
  readonly delta: number;
  /** That train: nine in ten of a data set. */
  readonly examples: number;
  /** Examples of a step on average: `training.batchSize` times `training.accumulation`. */
  readonly batchSize: number;
  /** Of each round. */
  readonly epochs: number;
  /** Rounds, each with one training. */
  readonly rounds: number;
  /** Weights of the model. */
  readonly parameters: number;
}

export interface ExamplePlan {
  readonly noiseMultiplier: number;
  readonly epsilon: number;
  readonly delta: number;
  /** Probability with which a step draws an example, and steps of all rounds. */
  readonly rate: number;
  readonly steps: number;
  /** L2 norm of one step's noise over the clipping norm, which no mean of gradients exceeds. */
  readonly relativeError: number;
}

/** More noise than this drowns every step: the most that `policy.exampleNoise` takes. */
const MULTIPLIER_MAX = 10_000;
/** The least that it takes. */
const MULTIPLIER_MIN = 0.1;

/** The noise with which trainings keep an owner's budget of examples. @throws ConfigError */
export function planExamples(question: ExampleQuestion): ExamplePlan {
  const { examples, batchSize, epochs, rounds, delta } = question;
  const plan = planSamples({ examples, batchSize, epochs });
  const [expected, steps] = [plan.sampled!, rounds * plan.steps];
  const rate = expected / examples;
  const least = noiseForExamples(question, { rate, steps });
  const noiseMultiplier = Math.max(MULTIPLIER_MIN, Math.ceil(least * 1e4) / 1e4);
  if (noiseMultiplier > MULTIPLIER_MAX) {
    const what = `an epsilon of ${question.epsilon} takes more noise than any training bears`;
    throw new ConfigError('plan', what, 'Take a greater epsilon or fewer rounds');
  }
  const epsilon = epsilonOfExamples([{ multiplier: noiseMultiplier, rate, steps }], delta);
  const relativeError = (noiseMultiplier * Math.sqrt(question.parameters)) / expected;
  return { noiseMultiplier, epsilon, delta, rate, steps, relativeError };
}
