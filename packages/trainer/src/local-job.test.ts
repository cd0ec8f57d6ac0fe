import { createGenerator } from '@starling/autodiff';
import type { BlobHash } from '@starling/core';
import {
  type Graph,
  type Model,
  type Node,
  scalar,
  type Tensor,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { LossName, TrainerJob, TrainingSettings } from '@starling/rounds';
import { describe, expect, test } from 'vitest';
import { byteImages, type ExampleSet, memorySource } from './data/example-set.ts';
import { openLocalJob } from './local-job.ts';

const PIXELS = 12;
const CLASSES = 3;

/** Twelve pixels, of which four are bright: which, is the class. */
function bars(count: number, seed: number, classes: number): ExampleSet {
  const generator = createGenerator(seed);
  const labels = Uint8Array.from({ length: count }, () => generator.below(CLASSES));
  const pixels = Uint8Array.from({ length: count * PIXELS }, (_, i) => {
    const bright = Math.floor((i % PIXELS) / 4) === labels[Math.floor(i / PIXELS)];
    return generator.below(100) + (bright ? 155 : 0);
  });
  const some = classes === 2 ? labels.map((label) => Number(label > 0)) : labels;
  return byteImages({ shape: [PIXELS], pixels, labels: some, classes: classes === 2 ? 2 : 3 });
}

const drawn = (shape: readonly number[], seed: number): Tensor => {
  const generator = createGenerator(seed);
  const count = shape.reduce((a, b) => a * b, 1);
  return tensorOf(
    'float32',
    shape,
    Array.from({ length: count }, () => generator.uniform() - 0.5),
  );
};

const node = (op: string, inputs: readonly string[], output: string): Node => ({
  name: output,
  op,
  inputs,
  outputs: [output],
  attributes: new Map(),
});

/** x·a, dropout, Tanh, ·b; with `loss` also the mean squared distance to a one-hot target. */
function denseModel(outputs: number, { dropout = 0, loss = false } = {}): Model {
  const nodes = [
    node('MatMul', ['x', 'a'], 'h'),
    node('Dropout', ['h', 'ratio', 'training'], 'dropped'),
    node('Tanh', ['dropped'], 't'),
    node('MatMul', ['t', 'b'], 'y'),
    ...(loss
      ? [node('Sub', ['y', 'target'], 'd'), node('Mul', ['d', 'd'], 's'), mean('s', 'loss')]
      : []),
  ];
  const graph: Graph = {
    name: 'dense',
    nodes,
    initializers: new Map([
      ['a', drawn([PIXELS, 8], 1)],
      ['b', drawn([8, outputs], 2)],
      ['ratio', scalar(dropout)],
      ['training', scalar(1, 'bool')],
    ]),
    inputs: [
      { name: 'x', dtype: 'float32', shape: ['batch', PIXELS] },
      ...(loss ? [{ name: 'target', dtype: 'float32', shape: ['batch', outputs] } as const] : []),
    ],
    outputs: [
      loss
        ? { name: 'loss', dtype: 'float32', shape: [] }
        : { name: 'y', dtype: 'float32', shape: ['batch', outputs] },
    ],
  };
  return { graph };
}

const mean = (from: string, to: string): Node => ({
  ...node('ReduceMean', [from], to),
  attributes: new Map([['keepdims', { kind: 'int', value: 0 }]]),
});

interface Change {
  readonly model?: Model;
  readonly loss?: LossName;
  readonly training?: Partial<TrainingSettings>;
  readonly classes?: number;
  readonly count?: number;
  readonly control?: boolean;
}

function open(change: Change = {}) {
  const { model = denseModel(CLASSES), loss = 'softmax-cross-entropy', classes = CLASSES } = change;
  const job: TrainerJob = {
    modelHash: '0'.repeat(64) as BlobHash,
    model: writeModel(model),
    loss,
    training: { ...DEFAULT_TRAINING, batchSize: 16, epochs: 3, ...change.training },
    clippingNorm: 100,
    data: {
      ...{ task: 'bars', input: { dtype: 'float32', shape: [PIXELS] } },
      ...{ target: 'classes', classes },
    },
    dataset: 'mine',
    ...(change.control && { control: true }),
  };
  const source = memorySource(bars(change.count ?? 153, 5, classes));
  return openLocalJob({ job, source, threads: 1 });
}

const added = (vector: Float32Array, update: Float32Array) =>
  vector.map((value, i) => value + update[i]!);

/** Loss before and after one round of local training. */
async function learned(change: Change) {
  const job = await open(change);
  const before = await job.evaluate(job.initial, 1000);
  const made = await job.train(job.initial, 1);
  const after = await job.evaluate(added(job.initial, made.update), 1000);
  await job.close();
  return { before, made, after };
}

describe('local training learns', () => {
  const settings: readonly Partial<TrainingSettings>[] = [
    { optimizer: 'sgd', learningRate: 0.5 },
    { optimizer: 'sgd', momentum: 0.9, nesterov: true },
    { optimizer: 'adam', learningRate: 0.01 },
    { optimizer: 'adamw', learningRate: 0.01, weightDecay: 0.01 },
    { optimizer: 'rmsprop', learningRate: 0.01 },
    { optimizer: 'adagrad', learningRate: 0.05 },
    { learningRate: 1, clipping: { norm: 0.5, value: 0 }, accumulation: 2 },
    { learningRate: 1, proximal: 0.1, schedule: { ...DEFAULT_TRAINING.schedule, kind: 'cosine' } },
    {
      learningRate: 0.5,
      lossOptions: {
        ...DEFAULT_TRAINING.lossOptions,
        labelSmoothing: 0.1,
        classWeights: [1, 2, 1],
      },
    },
  ];
  test.each(settings)('%j', async (training) => {
    const { before, made, after } = await learned({ training });
    expect(after.lossSum).toBeLessThan(0.8 * before.lossSum);
    expect(made.examples).toBe(138);
    expect(before.examples).toBe(15);
  });

  test('with binary cross-entropy, of one output or of one for each class', async () => {
    const loss = 'sigmoid-binary-cross-entropy' as const;
    const training = { learningRate: 1 };
    for (const change of [
      { loss, training, classes: 2, model: denseModel(1) },
      { loss, training, model: denseModel(CLASSES) },
    ]) {
      const { before, after } = await learned(change);
      expect(after.lossSum).toBeLessThan(0.8 * before.lossSum);
      expect(after.correct).toBeGreaterThan(10);
    }
  });

  test('by the loss that the model computes', async () => {
    const model = denseModel(CLASSES, { loss: true });
    const training = { learningRate: 0.5 };
    const { before, after } = await learned({ loss: 'model-output', model, training });
    expect(after.lossSum).toBeLessThan(0.5 * before.lossSum);
    expect(after.correct).toBe(0);
  });
});

describe('local training', () => {
  test('counts every example once an epoch, whatever the batch size', async () => {
    // One step over all 138 examples has the gradient of their mean; with a rate so small that the
    // weights hardly move, so has the sum of steps over minibatches, weighted by their sizes.
    const rate = 1e-3;
    const whole = await open({ training: { batchSize: 138, epochs: 1, learningRate: rate } });
    const parts = await open({ training: { batchSize: 64, epochs: 1, learningRate: rate } });
    const one = await whole.train(whole.initial, 1);
    const many = await parts.train(parts.initial, 1);
    expect([one.localSteps, many.localSteps]).toEqual([1, 3]);
    // 64, 64 and 10 examples, each step the mean of its own: the last weighs as much as the others.
    expect(many.norm / one.norm).toBeGreaterThan(2);
    expect(many.norm / one.norm).toBeLessThan(4);
    await whole.close();
    await parts.close();
  });

  test('drops by the seed, and not at all where that is switched off', async () => {
    const model = denseModel(CLASSES, { dropout: 0.5 });
    const job = await open({ model });
    const first = await job.train(job.initial, 3);
    expect((await job.train(job.initial, 3)).update).toEqual(first.update);
    expect((await job.train(job.initial, 4)).update).not.toEqual(first.update);
    const plain = await open({ model, training: { dropout: false } });
    const none = await open({ model: denseModel(CLASSES) });
    const without = await plain.train(plain.initial, 3);
    expect(without.update).toEqual((await none.train(none.initial, 3)).update);
    expect(without.update).not.toEqual(first.update);
    expect(await job.evaluate(job.initial, 9)).toEqual(await none.evaluate(none.initial, 9));
    for (const each of [job, plain, none]) await each.close();
  });

  test('leaves frozen weights out of the vector', async () => {
    const job = await open({ training: { frozen: ['*', '!b'] } });
    expect(job.layout).toEqual({ parameters: 24, buffers: 0 });
    expect((await job.train(job.initial, 1)).update).toHaveLength(24);
    expect((await job.evaluate(job.initial, 100)).examples).toBe(15);
    await job.close();
    await expect(open({ training: { frozen: ['?'] } })).rejects.toThrow(
      'no weight is left to train: ? freezes all 2',
    );
  });

  test('says which patterns match nothing', async () => {
    const job = await open({ training: { frozen: ['head.*'] } });
    expect(job.warnings).toEqual(['frozen: "head.*" matches no weight']);
    await job.close();
  });

  test('takes a control variate where the job has one', async () => {
    const job = await open({ control: true, training: { epochs: 1 } });
    const zeros = new Float32Array(job.layout.parameters);
    const context = { round: 0, rounds: 1 };
    const plain = await job.train(job.initial, 1, { ...context, control: zeros });
    const ones = zeros.map(() => 0.01);
    const pushed = await job.train(job.initial, 1, { ...context, control: ones });
    const drift = pushed.update.reduce((sum, value, i) => sum + value - plain.update[i]!, 0);
    expect(drift).toBeLessThan(-0.1);
    await expect(job.train(job.initial, 1)).rejects.toThrow('a control variate of 0 elements');
    await job.close();
  });

  test('follows a schedule over the rounds of the job', async () => {
    const schedule = { ...DEFAULT_TRAINING.schedule, kind: 'polynomial', per: 'round' } as const;
    const job = await open({ training: { schedule, epochs: 1, learningRate: 1e-3 } });
    const norm = async (round: number) =>
      (await job.train(job.initial, 1, { round, rounds: 4 })).norm;
    expect((await norm(2)) / (await norm(0))).toBeCloseTo(0.5, 2);
    await job.close();
  });

  test('names the step at which a loss is no number', async () => {
    const job = await open({ training: { learningRate: 1e30 } });
    await expect(job.train(job.initial, 1)).rejects.toThrow(
      /local training diverged: the loss of step [2-9] of 27 is (NaN|Infinity)/,
    );
    await job.close();
  });
});

describe('what does not fit is refused', () => {
  test.each<[string, Change, string]>([
    [
      'numbers from classes',
      { loss: 'huber', model: denseModel(1) },
      'the model takes numbers of shape [1] as the target of each example; the data have one ' +
        'label of 3 classes',
    ],
    ['too few outputs', { model: denseModel(2) }, '2 outputs for 3 classes'],
    ['labels beyond', { classes: 1 }, 'labels of 3 classes in a job of 1'],
    [
      'a loss that is no number',
      { loss: 'model-output' },
      "model-output: the model's output has shape [16,3]; a loss is one number",
    ],
    [
      'a second input without the model’s own loss',
      { model: denseModel(CLASSES, { loss: true }) },
      'the model takes a second input "target"; only with the loss model-output',
    ],
    [
      'class weights of another number',
      {
        training: { lossOptions: { ...DEFAULT_TRAINING.lossOptions, classWeights: [1, 2] } },
      },
      '2 class weights for output [16,3], which has 3 classes',
    ],
    [
      'targets that labels do not make',
      { loss: 'sigmoid-binary-cross-entropy', model: denseModel(2) },
      'the model takes numbers of shape [2] as the target of each example; the data have one label',
    ],
    [
      'too many steps',
      { training: { epochs: 1000, batchSize: 1 }, count: 12_000 },
      'at most 10000000',
    ],
  ])('%s', async (_, change, message) => {
    await expect(open(change)).rejects.toThrow(message);
  });
});
