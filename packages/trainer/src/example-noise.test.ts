import { createGenerator, zooModel } from '@starling/autodiff';
import type { TrainerJob, TrainingContext } from '@starling/rounds';
import { describe, expect, test } from 'vitest';
import { byteImages, type ExampleSet, memorySource } from './data/example-set.ts';
import { type LocalJob, type LocalJobOptions, openLocalJob } from './local-job.ts';
import { linearModel, testJob } from './testing/jobs.ts';

const PARAMETERS = 7850;
const CLASSES = 10;

/** Noise with a bright row for each class: easy to tell apart. */
function images(count: number, bright = 150): ExampleSet {
  const generator = createGenerator(count);
  const labels = Array.from({ length: count }, () => generator.below(CLASSES));
  const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => {
    const row = Math.floor((i % 784) / 28);
    const isBright = Math.floor(row / 2.8) === labels[Math.floor(i / 784)];
    return generator.below(100) + (isBright ? bright : 0);
  });
  return byteImages({ shape: [28, 28], classes: CLASSES, pixels, labels });
}

const key = (byte: number) => new Uint8Array(32).fill(byte);
const context = (byte: number): TrainingContext => ({
  ...{ round: 0, rounds: 1, noiseKey: key(byte) },
});

async function withJob<T>(options: Partial<LocalJobOptions>, use: (job: LocalJob) => Promise<T>) {
  const job = await openLocalJob({
    ...{ job: testJob(), source: memorySource(images(157)), threads: 1 },
    ...options,
  });
  try {
    return await use(job);
  } finally {
    await job.close();
  }
}

const noisy = (noiseMultiplier: number, change: Parameters<typeof testJob>[0] = {}) =>
  testJob({ exampleNoise: { clippingNorm: 1, noiseMultiplier }, ...change });

describe('training with noise for each example', () => {
  test('costs what its steps draw', async () => {
    const job = noisy(1.5, { training: { batchSize: 16, accumulation: 2, epochs: 3 } });
    await withJob({ job }, async ({ exampleCost }) => {
      // 142 of 157 examples train.
      expect(exampleCost).toEqual({ multiplier: 1.5, rate: 32 / 142, steps: 15 });
    });
    await withJob({}, async ({ exampleCost }) => expect(exampleCost).toBeUndefined());
  });

  test('follows from its key, and from nothing that others may know', async () => {
    const job = noisy(1, { training: { batchSize: 16 } });
    await withJob({ job }, async (local) => {
      const { update } = await local.train(local.initial, 3, context(1));
      expect((await local.train(local.initial, 3, context(1))).update).toEqual(update);
      expect((await local.train(local.initial, 4, context(1))).update).toEqual(update);
      expect((await local.train(local.initial, 3, context(2))).update).not.toEqual(update);
      await expect(local.train(local.initial, 3)).rejects.toThrow('takes a key');
    });
  });

  test('is as noisy as it says', async () => {
    // A bound so small that nothing of the gradients is left beside the noise.
    const exampleNoise = { clippingNorm: 1e-6, noiseMultiplier: 1e6 };
    const training = { batchSize: 16, learningRate: 0.01, epochs: 2 };
    for (const byte of [1, 2]) {
      await withJob({ job: testJob({ exampleNoise, training }) }, async (local) => {
        const { update, norm } = await local.train(local.initial, 3, context(byte));
        const { steps } = local.exampleCost!;
        const deviation = (0.01 * Math.sqrt(steps)) / 16;
        const mean = update.reduce((sum, value) => sum + value, 0) / PARAMETERS;
        expect(Math.abs(mean)).toBeLessThan((4 * deviation) / Math.sqrt(PARAMETERS));
        // The norm has χ of so many degrees of freedom.
        expect(norm / (deviation * Math.sqrt(PARAMETERS))).toBeCloseTo(1, 1);
        const far = update.filter((value) => Math.abs(value) > 2 * deviation).length;
        expect(far / PARAMETERS).toBeCloseTo(0.0455, 1);
      });
    }
  });

  test('goes on from any checkpoint to the same bits', async () => {
    const job = noisy(1, { training: { batchSize: 16, epochs: 2, optimizer: 'adam' } });
    const whole = await withJob({ job }, (local) => local.train(local.initial, 3, context(7)));
    await withJob({ job }, async (local) => {
      let now = 0;
      const broken = local.train(local.initial, 3, context(7), {
        now: () => {
          now += 3000;
          return now;
        },
        onPause: async (_, checkpoint) => {
          if (checkpoint.step >= 5) throw structuredClone(checkpoint);
        },
      });
      const resume = await broken.then(
        () => undefined,
        (checkpoint) => checkpoint,
      );
      expect(resume.step).toBeLessThan(whole.localSteps);
      await withJob({ job }, async (other) => {
        expect(await other.train(other.initial, 3, context(7), { resume })).toEqual(whole);
      });
    });
  });

  test('learns all the same where there are examples enough', async () => {
    const training = { batchSize: 200, epochs: 20, learningRate: 0.5 };
    const source = () => memorySource(images(2_000, 60));
    const scores = await withJob(
      { job: noisy(1, { training }), source: source() },
      async (local) => {
        const { update } = await local.train(local.initial, 3, context(5));
        const after = local.initial.map((value, i) => value + update[i]!);
        return [await local.evaluate(local.initial, 200), await local.evaluate(after, 200)];
      },
    );
    const [before, after] = scores.map(({ correct, examples }) => correct / examples);
    expect(before).toBeLessThan(0.4);
    expect(after).toBeGreaterThan(0.9);
  });

  test('hides personal weights as well, and drops and augments', async () => {
    const job = noisy(1, {
      model: zooModel('mlp', 1),
      training: { batchSize: 32, personal: ['fc3*'] },
    });
    const augment = { flip: true, crop: 2, noise: 0.1 };
    await withJob({ job, augment }, async (local) => {
      const one = await local.train(local.initial, 3, context(1));
      const two = await local.train(local.initial, 3, context(2));
      expect(one.personal).not.toEqual(two.personal);
    });
  });

  test('a training is not given up for an example whose loss is no number', async () => {
    const examples = 20;
    const inputs = new Float32Array(examples * 4).map((_, i) => Math.sin(i));
    // Three, of which at least one trains.
    inputs.fill(Number.NaN, 8, 20);
    const set: ExampleSet = {
      info: {
        ...{ format: 'csv', count: examples, shape: [4], elements: { dtype: 'float32' } },
        target: { kind: 'classes', count: 3, names: null },
      },
      examples: {
        ...{ count: examples, inputs },
        targets: Int32Array.from({ length: examples }, (_, i) => i % 3),
      },
    };
    const change = {
      model: linearModel(4, 3),
      data: { ...testJob().data, input: { dtype: 'float32', shape: [4] }, classes: 3 },
      training: { batchSize: 20 },
    } as const;
    const train = (job: TrainerJob) =>
      withJob({ job, source: memorySource(set) }, (local) =>
        local.train(local.initial, 3, context(1)),
      );
    await expect(train(testJob(change))).rejects.toThrow('local training diverged');
    const { update } = await train(noisy(1, change));
    expect(update.every(Number.isFinite)).toBe(true);
  });
});

describe('what cannot hide single examples is refused', () => {
  test('early stopping', async () => {
    const job = noisy(1, { training: { patience: 2 } });
    await expect(withJob({ job }, async () => {})).rejects.toThrow('training.patience');
  });

  test('a set that does not fit in memory', async () => {
    const job = noisy(1, { training: { batchSize: 8 } });
    const memory = 64 * 2 ** 20 + 64 * 2 ** 20 + 2 ** 20;
    const source = memorySource(images(3_000));
    const open = withJob({ job, source, memory }, async () => {});
    await expect(open).rejects.toThrow('does not fit in memory: raise resources.trainer.memory');
  });

  test('BatchNormalization', async () => {
    const job = noisy(1, {
      model: zooModel('resnet20', 1),
      data: { ...testJob().data, input: { dtype: 'float32', shape: [3, 32, 32] } },
    });
    const source = memorySource(
      byteImages({
        ...{ shape: [3, 32, 32], pixels: new Uint8Array(23 * 3072), classes: CLASSES },
        labels: Array.from({ length: 23 }, (_, i) => i % CLASSES),
      }),
    );
    await expect(withJob({ job, source }, async () => {})).rejects.toThrow('BatchNormalization');
  });
});
