import { ConfigError } from '@starling/core';
import { epsilonOfExamples } from '@starling/privacy';
import { expect, test } from 'vitest';
import { type ExampleQuestion, planExamples } from './example-plan.ts';

const question: ExampleQuestion = {
  ...{ epsilon: 3, delta: 1e-5, examples: 60_000, batchSize: 256, epochs: 1, rounds: 60 },
  parameters: 200_000,
};

test('a plan keeps its promise with hardly more noise than it takes', () => {
  const plan = planExamples(question);
  expect(plan).toMatchObject({ delta: 1e-5, rate: 256 / 60_000, steps: 60 * 235 });
  const { noiseMultiplier: multiplier, rate, steps } = plan;
  expect(plan.epsilon).toBe(epsilonOfExamples([{ multiplier, rate, steps }], 1e-5));
  expect(plan.epsilon).toBeLessThanOrEqual(3);
  expect(plan.epsilon).toBeGreaterThan(2.99);
  // TensorFlow Privacy's tutorial takes 1.12 for 2.92, by an older and looser conversion.
  expect(multiplier).toBeGreaterThan(0.9);
  expect(plan.relativeError).toBeCloseTo((multiplier * Math.sqrt(200_000)) / 256, 12);
  expect(multiplier).toBeLessThan(1.12);
});

test('more examples, fewer rounds and less privacy need less noise', () => {
  const { noiseMultiplier } = planExamples(question);
  for (const easier of [{ examples: 600_000 }, { rounds: 10 }, { epsilon: 8 }]) {
    expect(planExamples({ ...question, ...easier }).noiseMultiplier).toBeLessThan(noiseMultiplier);
  }
  const few = planExamples({ ...question, examples: 100 });
  expect(few).toMatchObject({ rate: 1, steps: 60 });
});

test('what no noise gives is refused', () => {
  const never = () => planExamples({ ...question, epsilon: 1e-6 });
  expect(never).toThrow(ConfigError);
  expect(never).toThrow('takes more noise');
});
