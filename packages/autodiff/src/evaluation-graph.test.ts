import { type Model, type Tensor, tensorOf } from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { drawn, graphOf, node, run } from '../../../test/helpers/small-graphs.ts';
import {
  buildEpochGraph,
  buildEvaluationGraph,
  createGenerator,
  initialVector,
  type LossKind,
  type LossOptions,
  minibatchOrder,
  orderShape,
  planEpochs,
} from './index.ts';
import { referenceLoss } from './testing/reference-losses.ts';
import { wholeRun } from './testing/whole-run.ts';

const [EXAMPLES, LENGTH, INPUTS, OUTPUTS] = [6, 2, 4, 3];

/** y = x·w over the last axis of [batch, 2, 4]. */
const sequenceModel = (): Model => ({
  graph: graphOf(
    [node('MatMul', ['x', 'w'], ['y'])],
    { w: drawn([INPUTS, OUTPUTS], 1) },
    ['batch', LENGTH, INPUTS],
    'y',
  ),
});

type Loss = Exclude<LossKind, 'model-output'>;
const CASES: readonly (readonly [Loss, LossOptions])[] = [
  ['softmax-cross-entropy', {}],
  ['softmax-cross-entropy', { ignoreIndex: 1, labelSmoothing: 0.1 }],
  ['softmax-cross-entropy', { classWeights: [1, 0.5, 2] }],
  ['sigmoid-binary-cross-entropy', {}],
  ['mean-squared-error', {}],
  ['mean-absolute-error', {}],
  ['huber', { delta: 0.3 }],
  ['smooth-l1', { delta: 0.3 }],
];

/** Rows of outputs and their targets, one for each example and place. */
function dataFor(loss: Loss, seed: number) {
  const generator = createGenerator(seed);
  const x = drawn([EXAMPLES, LENGTH, INPUTS], seed);
  const w = drawn([INPUTS, OUTPUTS], 1).data;
  const rows = Array.from({ length: EXAMPLES * LENGTH }, (_, row) =>
    Array.from({ length: OUTPUTS }, (_, j) =>
      Array.from(
        { length: INPUTS },
        (_, i) => Number(x.data[row * INPUTS + i]) * Number(w[i * OUTPUTS + j]),
      ).reduce((a, b) => a + b),
    ),
  );
  const labels = rows.map(() => generator.below(OUTPUTS));
  const numbers = rows.map((row) => row.map(() => Math.fround(generator.uniform())));
  const shares = numbers.map((row) => row.map((value) => Number(value > 0.5)));
  const isClasses = loss === 'softmax-cross-entropy';
  const fed = loss === 'sigmoid-binary-cross-entropy' ? shares : numbers;
  const target: Tensor = isClasses
    ? tensorOf('int32', [EXAMPLES, LENGTH], labels)
    : tensorOf('float32', [EXAMPLES, LENGTH, OUTPUTS], fed.flat());
  return { x, rows, labels, targets: isClasses ? labels : fed, target };
}

const targetShape = (loss: Loss) => (loss === 'softmax-cross-entropy' ? { target: [LENGTH] } : {});

describe('a sequence model', () => {
  test.each(CASES)('is scored by %s %j', async (loss, lossOptions) => {
    const { x, rows, labels, targets, target } = dataFor(loss, 3);
    const model = sequenceModel();
    const data = {
      ...({ dtype: 'float32', example: [LENGTH, INPUTS], scale: 1 } as const),
      ...targetShape(loss),
    };
    const { graph } = buildEvaluationGraph({ model, loss, lossOptions, data, batchSize: EXAMPLES });
    const vector = tensorOf('float32', [12], Array.from(initialVector(model)));
    const read = await run(graph, { vector, batch: x, target });
    const value = (name: string) => read(name)[0]!;
    const wanted = referenceLoss(loss, rows, targets, lossOptions);
    expect(value('lossSum') / value('weight')).toBeCloseTo(wanted.mean, 5);
    if (loss !== 'softmax-cross-entropy') {
      expect(value('targets')).toBe(EXAMPLES * LENGTH * OUTPUTS);
      return;
    }
    const counted = labels.flatMap((label, i) => (label === lossOptions.ignoreIndex ? [] : [i]));
    const right = counted.filter((i) => rows[i]!.indexOf(Math.max(...rows[i]!)) === labels[i]);
    expect(value('targets')).toBe(counted.length);
    expect(value('correct')).toBe(right.length);
  });

  test.each(CASES)('is trained by %s %j', async (loss, lossOptions) => {
    const { x, rows, targets, target } = dataFor(loss, 4);
    const model = sequenceModel();
    const plan = planEpochs({ examples: EXAMPLES, batchSize: EXAMPLES, epochs: 1 });
    const data = {
      ...({ dtype: 'float32', example: [LENGTH, INPUTS], scale: 1 } as const),
      ...targetShape(loss),
    };
    const graph = buildEpochGraph({ model, loss, lossOptions, plan, data });
    const order = minibatchOrder(plan, Int32Array.of(0, 1, 2, 3, 4, 5), createGenerator(1));
    const read = await run(graph.model.graph, {
      ...wholeRun({ graph, plan, vector: initialVector(model) }),
      ...{ data: x, targets: target },
      order: tensorOf('int32', orderShape(plan, plan.steps), order),
      learningRate: tensorOf('float32', [], [1]),
      clippingNorm: tensorOf('float32', [], [1e9]),
    });
    const { gradient } = referenceLoss(loss, rows, targets, lossOptions);
    const wanted = Array.from({ length: INPUTS * OUTPUTS }, (_, at) => {
      const [i, j] = [Math.floor(at / OUTPUTS), at % OUTPUTS];
      const of = (row: number) => Number(x.data[row * INPUTS + i]) * gradient[row]![j]!;
      return -rows.reduce((sum, _, row) => sum + of(row), 0);
    });
    for (const [i, value] of read('update').entries()) expect(value).toBeCloseTo(wanted[i]!, 5);
  });
});
