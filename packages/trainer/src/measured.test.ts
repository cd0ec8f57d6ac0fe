import { trainedModel, vectorState } from '@starling/autodiff';
import type { BlobHash } from '@starling/core';
import { GraphBuilder, type Model, readModel, tensorOf, writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING, type NamedMetric } from '@starling/protocol-rounds';
import type { TrainerJob } from '@starling/rounds';
import { describe, expect, test } from 'vitest';
import { type ExampleSet, memorySource } from './data/example-set.ts';
import { openLocalJob } from './local-job.ts';
import { Scorer } from './scorer.ts';

/**
 * Scores x · w of two classes; beside them the example's first number, both of its numbers, and
 * the mean of all first numbers of the batch.
 */
function threeMetrics(extra = false): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [1, 2] });
  const w = builder.constant(tensorOf('float32', [2, 2], [1, -1, 0.5, 2]), 'w');
  const scores = builder.named(builder.add('MatMul', [x, w]), 'scores');
  const pick = builder.constant(tensorOf('float32', [2, 1], [1, 0]), 'pick');
  const column = builder.add('MatMul', [x, pick]);
  const first = builder.named(column, 'first');
  const doubled = builder.add('Add', [x, x]);
  const pair = builder.named(doubled, 'pair');
  const outputs = [scores, first, pair];
  if (extra) {
    const own = builder.constant(tensorOf('float32', [2, 2], [1, 2, 3, 4]), 'idle');
    outputs.push(builder.named(builder.add('MatMul', [x, own]), 'extra'));
  }
  const graph = builder.finish('m', outputs);
  const open = (values: typeof graph.inputs) =>
    values.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(graph.inputs), outputs: open(graph.outputs) } };
}

const METRICS: readonly NamedMetric[] = [
  { name: 'first', output: 'first', low: 0, high: 4 },
  { name: 'pair', output: 'pair', low: -10, high: 10 },
];
const FROZEN = ['pick'];

const INPUTS = [1, 3, -2, 5, 9, 0, 2, 2, 0.5, 1.5];
const set: ExampleSet = {
  info: {
    ...{ format: 'npy', count: 5, shape: [2], elements: { dtype: 'float32' } },
    target: { kind: 'classes', count: 2, names: null },
  },
  examples: {
    ...{ count: 5, inputs: Float32Array.from(INPUTS), targets: Int32Array.of(0, 1, 0, 1, 1) },
  },
};

/** By hand: where between the bounds each example is, summed. */
const expected = [
  [1, -2, 9, 2, 0.5].map((value) => Math.min(4, Math.max(0, value)) / 4),
  [4, 3, 9, 4, 2].map((mean) => (mean + 10) / 20),
].map((places) => places.reduce((sum, place) => sum + place, 0));

describe('a job’s own metrics', () => {
  test('are summed over examples, within their bounds', async () => {
    const scorer = await Scorer.open({
      ...{ model: threeMetrics(), loss: 'softmax-cross-entropy', set, classes: 2, threads: 1 },
      ...{ metrics: METRICS, frozen: FROZEN, indices: Int32Array.of(0, 1, 2, 3, 4) },
    });
    const vector = Float32Array.of(1, -1, 0.5, 2);
    const { named, examples } = await scorer.score(vector, 5);
    expect(examples).toBe(5);
    for (const [i, sum] of named!.entries()) expect(sum).toBeCloseTo(expected[i]!, 5);
    // In batches, and of a part of the examples, they are the same sums.
    const [first] = (await scorer.score(vector, 2)).named!;
    expect(first).toBeCloseTo(0.25, 6);
    await scorer.close();
  });

  test('what is measured is not trained, and what is for a metric alone is refused', () => {
    expect(
      trainedModel(threeMetrics(), { metrics: METRICS, frozen: FROZEN }).graph.outputs.map(
        ({ name }) => name,
      ),
    ).toEqual(['scores']);
    const of =
      (metrics: readonly NamedMetric[], model = threeMetrics()) =>
      () =>
        trainedModel(model, { metrics, frozen: FROZEN });
    const other = { name: 'x', output: 'none', low: 0, high: 1 };
    expect(of([other])).toThrow('no output "none" to measure; the model has scores, first, pair');
    expect(of(METRICS.slice(1))).toThrow('2 outputs are not measured, and one is trained');
    const idle = of([...METRICS, { ...other, output: 'extra' }], threeMetrics(true));
    expect(idle).toThrow('weight "idle" is for a metric alone');
  });

  test('a peer trains one output and measures the others', async () => {
    const model = writeModel(threeMetrics());
    const training = { ...DEFAULT_TRAINING, metrics: METRICS, frozen: FROZEN, batchSize: 2 };
    const job: TrainerJob = {
      ...{ modelHash: 'ab'.repeat(32) as BlobHash, model, training, dataset: 'mine' },
      ...{ loss: 'softmax-cross-entropy', clippingNorm: 10 },
      data: {
        ...{ task: 't', input: { dtype: 'float32', shape: [2] }, target: 'classes', classes: 2 },
      },
    };
    const many = 40;
    const source = memorySource({
      info: { ...set.info, count: many },
      examples: {
        count: many,
        inputs: Float32Array.from({ length: 2 * many }, (_, i) => INPUTS[i % 10]!),
        targets: Int32Array.from({ length: many }, (_, i) => i % 2),
      },
    });
    const prepared = await openLocalJob({ job, source, threads: 1 });
    const { named, examples } = await prepared.evaluate(prepared.initial, 1_000);
    expect(named).toHaveLength(2);
    for (const sum of named!) expect(sum).toBeGreaterThan(0);
    expect(Math.max(...named!)).toBeLessThanOrEqual(examples);
    const { update } = await prepared.train(prepared.initial, 1, { round: 0, rounds: 1 });
    expect(update.some((value) => value !== 0)).toBe(true);
    expect(vectorState(readModel(model), FROZEN)).toHaveLength(1);
    await prepared.close();
  });
});
