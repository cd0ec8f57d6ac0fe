import {
  elementCount,
  GraphBuilder,
  int,
  type Model,
  scalar,
  type Tensor,
  tensorOf,
} from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { graphOf, meanOf, node, run } from '../../../test/helpers/small-graphs.ts';
import { dropoutMasks, dropoutWords, WORDS_PER_DROPOUT } from './dropout.ts';
import {
  buildEpochGraph,
  buildEvaluationGraph,
  buildStepGraph,
  createGenerator,
  initialVector,
  minibatchOrder,
  optimizerSettings,
  orderShape,
  planEpochs,
} from './index.ts';
import { Ops } from './ops.ts';
import { wholeRun } from './testing/whole-run.ts';

/** y = Dropout(x · w) with the ratio as a constant. */
function droppingModel(ratio: number, training: number, outputs = ['d']): Model {
  const nodes = [
    node('Mul', ['x', 'w'], ['a']),
    node('Dropout', ['a', 'ratio', 'training'], outputs),
    node('Mul', ['d', 'v'], ['y']),
  ];
  const initializers = {
    w: tensorOf('float32', [50], new Array(50).fill(1)),
    v: tensorOf('float32', [50], new Array(50).fill(1)),
    ratio: scalar(ratio),
    training: scalar(training, 'bool'),
  };
  return { graph: graphOf(nodes, initializers, ['batch', 50], 'y') };
}

/** Gradient of w and the loss's outputs for a batch of ones, which show what was dropped. */
async function dropped(model: Model, seed: number, dropout = true) {
  const loss = 'mean-squared-error' as const;
  const step = buildStepGraph({ model, loss, batchSize: 40, dropout });
  const count = (step.words?.count ?? 0) / WORDS_PER_DROPOUT;
  const words = dropoutWords(1, count, createGenerator(seed));
  const feeds: Record<string, Tensor> = {
    batch: tensorOf('float32', [40, 50], new Array(2000).fill(1)),
    target: tensorOf('float32', [40, 50], new Array(2000).fill(0)),
    learningRate: scalar(0),
    ...(step.words && { [step.words.input]: tensorOf('int32', [words.length], words) }),
  };
  for (const { input, shape, name } of step.parameters) {
    feeds[input] = { ...model.graph.initializers.get(name)!, shape };
  }
  const read = await run(step.model.graph, feeds);
  return { loss: read('loss')[0]!, gradient: read('gradient/w'), words: step.words };
}

describe('Dropout', () => {
  test('drops its share, scales the rest, and sends gradients the same way', async () => {
    for (const ratio of [0.1, 0.5, 0.8]) {
      const { loss, gradient } = await dropped(droppingModel(ratio, 1), 3);
      // The mean of y² is kept / (1 − ratio)², and so is w's gradient times its size over 2.
      const kept = loss * (1 - ratio) ** 2;
      expect(Math.abs(kept - (1 - ratio))).toBeLessThan(0.05);
      const total = gradient.reduce((sum, value) => sum + value, 0) / 2;
      expect(total).toBeCloseTo(loss, 4);
    }
  });

  test('follows from its words', async () => {
    const model = droppingModel(0.5, 1);
    const [first, again, other] = [
      await dropped(model, 1),
      await dropped(model, 1),
      await dropped(model, 2),
    ];
    expect(again.gradient).toEqual(first.gradient);
    expect(other.gradient).not.toEqual(first.gradient);
  });

  test.each([
    ['in evaluation mode', droppingModel(0.5, 0), true],
    ['with ratio 0', droppingModel(0, 1), true],
    ['when switched off', droppingModel(0.5, 1), false],
  ])('%s drops nothing and takes no words', async (_, model, on) => {
    const { loss, words } = await dropped(model, 1, on);
    expect(loss).toBe(1);
    expect(words).toBeUndefined();
  });

  test('with ratio 1 drops everything', async () => {
    const { loss, gradient } = await dropped(droppingModel(1, 1), 1);
    expect(loss).toBe(0);
    expect(gradient.every((value) => value === 0)).toBe(true);
  });

  test('is off when a model is evaluated', async () => {
    const model = droppingModel(0.5, 1);
    const data = { dtype: 'float32', example: [50], scale: 1 } as const;
    const { graph } = buildEvaluationGraph({
      model,
      loss: 'mean-squared-error',
      data,
      batchSize: 2,
    });
    const read = await run(graph, {
      vector: { dtype: 'float32', shape: [100], data: initialVector(model) },
      batch: tensorOf('float32', [2, 50], new Array(100).fill(1)),
      target: tensorOf('float32', [2, 50], new Array(100).fill(0)),
    });
    expect(read('lossSum')).toEqual([100]);
    expect(read('weight')).toEqual([100]);
  });

  test('whose ratio is computed is refused with its node', () => {
    const { graph } = droppingModel(0.5, 1);
    const [first, drop, last] = graph.nodes;
    const ratio = node('ReduceMax', ['x'], ['computed'], { keepdims: int(0) });
    const nodes = [first!, ratio, { ...drop!, inputs: ['a', 'computed', 'training'] }, last!];
    const make = () =>
      buildStepGraph({ model: { graph: { ...graph, nodes } }, loss: 'huber', batchSize: 2 });
    expect(make).toThrow('node "d" (Dropout): its ratio is not constant');
  });

  test('its mask can be used', async () => {
    const { graph } = droppingModel(0.5, 1, ['d', 'mask']);
    const nodes = [
      ...graph.nodes.slice(0, 2),
      node('Where', ['mask', 'd', 'x'], ['chosen']),
      node('Mul', ['chosen', 'v'], ['y']),
    ];
    const { loss } = await dropped({ graph: { ...graph, nodes } }, 1);
    // Half are 2, whose squares are 4, and half are 1.
    expect(Math.abs(loss - 2.5)).toBeLessThan(0.15);
  });

  test('masks of other batches and other dropouts are independent', async () => {
    const size = 4096;
    const g = new Ops(new GraphBuilder());
    const words = g.builder.input('words', { dtype: 'int32', shape: [4] });
    const masks = dropoutMasks(g, words);
    const outputs = [0, 1].map((i) => {
      return g.builder.named(masks.kept([size], 0.5), `mask${i}`);
    });
    const graph = g.builder.finish('masks', outputs);
    const rows: number[][] = [];
    for (let batch = 0; batch < 12; batch++) {
      const data = dropoutWords(1, 2, createGenerator(batch));
      const read = await run(graph, { words: { dtype: 'int32', shape: [4], data } });
      rows.push(read('mask0'), read('mask1'));
    }
    const bound = 5 / Math.sqrt(size);
    for (const [i, row] of rows.entries()) {
      expect(Math.abs(meanOf(row) - 0.5)).toBeLessThan(bound / 2);
      const signs = row.map((value) => 2 * value - 1);
      for (const other of rows.slice(i + 1)) {
        const product = other.map((value, j) => (2 * value - 1) * signs[j]!);
        expect(Math.abs(meanOf(product))).toBeLessThan(bound);
      }
      // Neighbours within a mask.
      for (const distance of [1, 2, 64]) {
        const product = signs.slice(distance).map((value, j) => value * signs[j]!);
        expect(Math.abs(meanOf(product))).toBeLessThan(bound);
      }
    }
  });

  test('in an epoch graph gives every minibatch masks of its own', async () => {
    const model = droppingModel(0.5, 1);
    const plan = planEpochs({ examples: 10, batchSize: 4, epochs: 2, accumulation: 2 });
    const data = { dtype: 'float32', example: [50], scale: 1 } as const;
    const optimizer = optimizerSettings('momentum');
    const loss = 'mean-squared-error' as const;
    const graph = buildEpochGraph({ model, loss, plan, data, optimizer });
    expect(graph.words).toBe(WORDS_PER_DROPOUT);
    const train = async (seed: number) => {
      const batches = orderShape(plan, plan.steps).slice(0, -1);
      const words = dropoutWords(elementCount(batches), 1, createGenerator(seed));
      const rows = Int32Array.from({ length: 10 }, (_, i) => i);
      const order = minibatchOrder(plan, rows, createGenerator(1));
      const read = await run(graph.model.graph, {
        ...wholeRun({ graph, plan, vector: initialVector(model), optimizer }),
        data: tensorOf('float32', [10, 50], new Array(500).fill(1)),
        targets: tensorOf('float32', [10, 50], new Array(500).fill(0)),
        order: { dtype: 'int32', shape: orderShape(plan, plan.steps), data: order },
        words: tensorOf('int32', [...batches, graph.words], words),
        learningRate: scalar(0.1),
        clippingNorm: scalar(1e9),
      });
      return { losses: read('losses'), update: read('update') };
    };
    const first = await train(1);
    expect(new Set(first.losses).size).toBe(first.losses.length);
    expect(await train(1)).toEqual(first);
    expect((await train(2)).update).not.toEqual(first.update);
  });
});
