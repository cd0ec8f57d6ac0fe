import { describe, expect, test } from 'vitest';
import { createMetrics, type Head } from './metrics.ts';

function reportOf(head: Head, examples: readonly (readonly [readonly number[], number])[]) {
  const metrics = createMetrics(head);
  for (const [outputs, target] of examples) metrics.add(Float32Array.from(outputs), target);
  return metrics.report();
}

const scores = { kind: 'classes', classes: 3, probabilities: false } as const;

describe('classes', () => {
  test('confusion, precision, recall and F1 of a case that was counted by hand', () => {
    const report = reportOf(scores, [
      [[3, 0, 0], 0],
      [[3, 0, 0], 0],
      [[0, 3, 0], 0],
      [[0, 3, 0], 1],
    ]);
    expect(report).toMatchObject({
      examples: 4,
      accuracy: 0.75,
      confusion: [
        [2, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
      ],
      perClass: [
        { label: 0, precision: 1, recall: 2 / 3, f1: 0.8, support: 3 },
        { label: 1, precision: 0.5, recall: 1, f1: 2 / 3, support: 1 },
        { label: 2, precision: null, recall: null, f1: null, support: 0 },
      ],
    });
    expect(report).toHaveProperty('macroF1', (0.8 + 2 / 3) / 2);
  });

  test('the loss is the cross entropy, of scores and of probabilities alike', () => {
    const logits = [1, 2, -1];
    const sum = logits.reduce((total, score) => total + Math.exp(score), 0);
    const wanted = Math.log(sum) - 2;
    expect(reportOf(scores, [[logits, 1]]).loss).toBeCloseTo(wanted, 12);
    const shares = logits.map((score) => Math.exp(score) / sum);
    const probabilities = { ...scores, probabilities: true };
    expect(reportOf(probabilities, [[shares, 1]]).loss).toBeCloseTo(wanted, 6);
  });

  test('scores beyond the exponential stay finite, and so does a probability of 0', () => {
    expect(reportOf(scores, [[[1000, 0, 0], 1]]).loss).toBeCloseTo(1000, 6);
    const probabilities = { ...scores, probabilities: true };
    expect(reportOf(probabilities, [[[1, 0, 0], 1]]).loss).toBeCloseTo(-Math.log(1e-12), 6);
  });
});

test('one score for two classes: above 0 is class 1', () => {
  const head = { kind: 'binary', probabilities: false } as const;
  const examples = [
    [[2], 1],
    [[-1], 0],
    [[0.5], 0],
  ] as const;
  const report = reportOf(head, examples);
  const softplus = (x: number) => Math.log(1 + Math.exp(x));
  expect(report).toMatchObject({
    accuracy: 2 / 3,
    confusion: [
      [1, 1],
      [0, 1],
    ],
  });
  expect(report.loss).toBeCloseTo((softplus(-2) + softplus(-1) + softplus(0.5)) / 3, 12);
});

describe('numbers', () => {
  test('squares, distances and R² of a case that was counted by hand', () => {
    const report = reportOf({ kind: 'number' }, [
      [[1], 2],
      [[4], 4],
      [[9], 6],
    ]);
    expect(report).toMatchObject({ examples: 3, loss: 10 / 3, meanAbsoluteError: 4 / 3 });
    // The targets' squares around 4 are 8.
    expect(report).toHaveProperty('r2', 1 - 10 / 8);
  });

  test('targets that are all one number have no R²', () => {
    expect(
      reportOf({ kind: 'number' }, [
        [[1], 2],
        [[3], 2],
      ]),
    ).toMatchObject({ r2: null });
  });
});
