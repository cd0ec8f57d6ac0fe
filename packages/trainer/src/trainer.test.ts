import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL_SHARED, createGenerator, zooModel } from '@starling/autodiff';
import type { BlobHash, Log } from '@starling/core';
import { writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerJob } from '@starling/rounds';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { byteImages, type ExampleSet } from './data/example-set.ts';
import { type DatasetCatalog, datasetCatalog, inspectOffer, writeDataset } from './dataset.ts';
import { createTrainer, gradcheck, type ProcessTrainer } from './index.ts';
import { evaluateModel } from './scorer.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const childEntry = new URL('../../../apps/cli/dist/trainer-child.js', import.meta.url);

/** Ten classes of 28×28 images: a bright bar whose place is the class, under noise. */
function bars(count: number, seed: number): ExampleSet {
  const generator = createGenerator(seed);
  const labels = Uint8Array.from({ length: count }, () => generator.below(10));
  const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => {
    const row = Math.floor((i % 784) / 28);
    const bright = Math.floor(row / 2) === labels[Math.floor(i / 784)];
    return generator.below(100) + (bright ? 155 : 0);
  });
  return byteImages({ shape: [28, 28], pixels, labels, classes: 10 });
}

// Forking and loading the native library take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let trainer: ProcessTrainer;
let datasets: DatasetCatalog;
const data = bars(303, 1);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'starling-trainer-'));
  await writeDataset(folder, data, { task: 'bars', classes: 10 });
  datasets = datasetCatalog([await inspectOffer('mine', folder, {})]);
  trainer = createTrainer({ childEntry, datasets, log, backoffMs: 1 });
});

afterAll(async () => {
  await trainer.close();
  await rm(folder, { recursive: true });
});

const DATA = {
  ...({ task: 'bars', input: { dtype: 'float32', shape: [784] } } as const),
  ...({ target: 'classes', classes: 10 } as const),
};

function job(change: Partial<TrainerJob> = {}): TrainerJob {
  return {
    modelHash: '0'.repeat(64) as BlobHash,
    model: writeModel(zooModel('mlp', 1)),
    loss: 'softmax-cross-entropy',
    training: { ...DEFAULT_TRAINING, epochs: 2 },
    clippingNorm: 10,
    data: DATA,
    dataset: 'mine',
    ...change,
  };
}

const added = (vector: Float32Array, update: Float32Array) =>
  vector.map((value, i) => value + update[i]!);

describe('the trainer child', () => {
  test('learns, evaluates its own validation split, and repeats itself for a seed', async () => {
    const prepared = await trainer.prepare(job());
    expect(prepared.layout).toEqual({ parameters: 199_210, buffers: 0 });
    const before = await prepared.evaluate(prepared.initial, 1000);
    expect(before.examples).toBe(30);
    const first = await prepared.train(prepared.initial, 7);
    expect(first).toMatchObject({ examples: 273, localSteps: 18 });
    expect(first.trainingLoss).toBeGreaterThan(0);
    const after = await prepared.evaluate(added(prepared.initial, first.update), 1000);
    expect(after.lossSum).toBeLessThan(before.lossSum);
    expect(after.correct).toBeGreaterThan(15);
    expect((await prepared.train(prepared.initial, 7)).update).toEqual(first.update);
    expect((await prepared.train(prepared.initial, 8)).update).not.toEqual(first.update);
    await prepared.close();
    await expect(prepared.evaluate(prepared.initial, 10)).rejects.toThrow('closed');
  });

  test('hides single examples by a key that reaches the child', async () => {
    const exampleNoise = { clippingNorm: 1, noiseMultiplier: 1 };
    const training = { ...DEFAULT_TRAINING, epochs: 1, batchSize: 30, steps: 2 };
    const prepared = await trainer.prepare(job({ exampleNoise, training }));
    expect(prepared.exampleCost).toEqual({ multiplier: 1, rate: 30 / 273, steps: 2 });
    const train = (byte: number) => {
      const noiseKey = new Uint8Array(32).fill(byte);
      return prepared.train(prepared.initial, 7, { round: 0, rounds: 1, noiseKey });
    };
    const { update } = await train(1);
    expect((await train(1)).update).toEqual(update);
    expect((await train(2)).update).not.toEqual(update);
    await expect(prepared.train(prepared.initial, 7)).rejects.toThrow('takes a key');
    await prepared.close();
  });

  test('describes a model without data, and refuses one that cannot train', async () => {
    const description = await trainer.describe(writeModel(zooModel('cnn', 4)), ALL_SHARED);
    expect(description.layout).toEqual({ parameters: 80_202, buffers: 0 });
    expect(description.initial).toHaveLength(80_202);
    expect(description.warnings).toEqual([]);
    const some = await trainer.describe(writeModel(zooModel('cnn', 4)), {
      ...ALL_SHARED,
      frozen: ['conv*'],
    });
    expect(some.layout.parameters).toBe(80_202 - 16 * 26 - 32 * (16 * 25 + 1));
    const { graph } = zooModel('mlp', 1);
    const nodes = graph.nodes.map((node) => (node.op === 'Relu' ? { ...node, op: 'Det' } : node));
    const unknown = writeModel({ graph: { ...graph, nodes } });
    await expect(trainer.describe(unknown, ALL_SHARED)).rejects.toMatchObject({
      code: 'unsupported-operator',
    });
  });

  test('takes data of another shape with the same elements', async () => {
    const shape = { dtype: 'float32' as const, shape: [1, 28, 28] };
    const prepared = await trainer.prepare(
      job({
        model: writeModel(zooModel('cnn', 1)),
        data: { ...DATA, input: shape },
      }),
    );
    const { update, norm } = await prepared.train(prepared.initial, 1);
    expect(update).toHaveLength(80_202);
    expect(norm).toBeGreaterThan(0);
    await prepared.close();
  });

  test('an update that diverged is refused', async () => {
    const wild = { ...job().training, learningRate: 1e20 };
    const prepared = await trainer.prepare(job({ training: wild }));
    const training = prepared.train(prepared.initial, 1);
    await expect(training).rejects.toMatchObject({ code: 'not-finite' });
    await expect(training).rejects.toThrow(/the loss of step \d+ of 18 is (NaN|Infinity)/);
    await prepared.close();
  });

  test('its death rejects the run in flight, and the next call finds a new child', async () => {
    const long = { ...job().training, epochs: 2000 };
    const [slow, quick] = [
      await trainer.prepare(job({ training: long })),
      await trainer.prepare(job()),
    ];
    const pids = trainer.pids;
    expect(pids).toHaveLength(2);
    const running = expect(slow.train(slow.initial, 1)).rejects.toMatchObject({
      code: 'trainer-died',
    });
    process.kill(pids[0]!, 'SIGKILL');
    await running;
    expect((await slow.evaluate(slow.initial, 5)).examples).toBe(5);
    expect(trainer.pids[0]).not.toBe(pids[0]);
    expect(trainer.pids[1]).toBe(pids[1]);
    await Promise.all([slow.close(), quick.close()]);
  });

  test('killed after a checkpoint, a training goes on there, to the same bits', async () => {
    const long = job({ training: { ...job().training, epochs: 120, optimizer: 'adam' } });
    const plain = await trainer.prepare(long);
    const whole = await plain.train(plain.initial, 5);
    await plain.close();
    const warnings: unknown[] = [];
    const careful = createTrainer({
      ...{ childEntry, datasets, backoffMs: 1, newsSeconds: { progress: 0, checkpoint: 0 } },
      log: { ...log, warn: (text, fields) => void warnings.push([text, fields]) },
    });
    const prepared = await careful.prepare(long);
    const [first] = careful.pids;
    const steps: number[] = [];
    const update = await prepared.train(prepared.initial, 5, undefined, ({ step }) => {
      // Its next run takes a second or all that is left: it is in the middle of it.
      if (steps.length === 0) process.kill(first!, 'SIGKILL');
      steps.push(step);
    });
    expect(update).toEqual(whole);
    expect(careful.pids).not.toContain(first);
    expect(warnings).toContainEqual([
      'a training goes on from its last checkpoint',
      { step: steps[0] },
    ]);
    expect(steps[0]).toBeLessThan(whole.localSteps);
    await careful.close();
  });

  test('what does not fit is refused with words for both sides', async () => {
    const input = { dtype: 'float32' as const, shape: [100] };
    const data = { ...DATA, task: 'cats', input, classes: 2 };
    await expect(trainer.prepare(job({ data }))).rejects.toThrow(
      'task: the job wants cats, data set "mine" has bars; ' +
        'shape: the job wants [100], data set "mine" has [28,28]; ' +
        'classes: the job wants 2, data set "mine" has 10',
    );
    const many = { ...job().data, classes: 11 };
    await expect(trainer.prepare(job({ data: many }))).rejects.toThrow('10 outputs for 11 classes');
    const numbers = { ...DATA, target: 'numbers' as const, classes: 0 };
    await expect(trainer.prepare(job({ data: numbers }))).rejects.toThrow(
      'targets: the job wants numbers, data set "mine" has classes',
    );
    await expect(trainer.prepare(job({ dataset: 'other' }))).rejects.toThrow('no data set "other"');
    await expect(trainer.prepare(job({ model: new Uint8Array(9) }))).rejects.toMatchObject({
      code: 'model-corrupt',
    });
  });
});

test('evaluateModel scores a file, or other weights in it', async () => {
  const model = writeModel(zooModel('mlp', 1));
  const plain = await evaluateModel(model, data);
  expect(plain.examples).toBe(303);
  expect(plain.accuracy).toBe(plain.correct / 303);
  const zeros = await evaluateModel(model, data, new Float32Array(199_210));
  expect(zeros.meanLoss).toBeCloseTo(Math.log(10), 5);
});

describe('gradcheck', () => {
  const fixtures = (name: string) =>
    fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));

  for (const [root, least] of [
    [fixtures('autodiff'), 7],
    [fixtures('training-cases'), 28],
  ] as const) {
    test(`recorded cases of ${basename(root)} pass`, async () => {
      const names = (await readdir(root)).sort();
      expect(names.length).toBeGreaterThanOrEqual(least);
      const results = await gradcheck(names.map((name) => join(root, name)));
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
    });
  }

  test('a folder without a case is a failed case', async () => {
    const [result] = await gradcheck([folder]);
    expect(result).toMatchObject({ ok: false, maxRelativeError: null });
  });
});
