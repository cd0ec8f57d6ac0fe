import {
  ALL_SHARED,
  buildEpochGraph,
  createGenerator,
  EPOCH_INPUTS,
  type EpochPlan,
  initialVector,
  planEpochs,
  VectorSplit,
  zooModel,
} from '@starling/autodiff';
import { readModel } from '@starling/onnx';
import type { ClientUpdate, TrainingSettings } from '@starling/rounds';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Batches, streamedBatches } from './batches.ts';
import { byteImages, type ExampleSet, memorySource } from './data/example-set.ts';
import { exampleBytes } from './data/resident.ts';
import { drawShards } from './data/shards.ts';
import type { DataSource, TargetInfo } from './data/source.ts';
import { SPLIT_SEED, Split } from './data/split.ts';
import { inputTensor, residentData } from './inputs.ts';
import { type LocalJob, type LocalJobOptions, openLocalJob } from './local-job.ts';
import { type Checkpoint, LocalTraining, type TrainingHooks } from './local-training.ts';
import { createSession } from './ort.ts';
import { type TargetForm, targetForm, targetTensor } from './targets.ts';
import { linearModel, testJob } from './testing/jobs.ts';

/** Images of noise in ten classes. */
function noise(count: number, side = 28): ExampleSet {
  const generator = createGenerator(count);
  return byteImages({
    ...{ shape: [side, side], classes: 10 },
    pixels: Uint8Array.from({ length: count * side * side }, () => generator.below(256)),
    labels: Array.from({ length: count }, () => generator.below(10)),
  });
}

/** Counts what is read. */
function counted(source: DataSource) {
  const reads: number[] = [];
  const read: DataSource['read'] = (from, count) => {
    reads.push(count);
    return source.read(from, count);
  };
  return { source: { ...source, read }, reads };
}

/** A clock on which every run takes so many seconds: a run has few steps where it is slow. */
function clock(secondsPerReading: number): () => number {
  let now = 0;
  return () => {
    now += 1000 * secondsPerReading;
    return now;
  };
}

async function withJob<T>(options: Partial<LocalJobOptions>, use: (job: LocalJob) => Promise<T>) {
  const job = await openLocalJob({
    ...{ job: testJob(), source: memorySource(noise(157)), threads: 1 },
    ...options,
  });
  try {
    return await use(job);
  } finally {
    await job.close();
  }
}

const trained = (options: Partial<LocalJobOptions>, seed = 3): Promise<ClientUpdate> =>
  withJob(options, (job) => job.train(job.initial, seed));

/** Every setting that carries something from step to step, or draws at random. */
const SETTINGS: readonly Partial<LocalJobOptions>[] = [
  { job: testJob({ training: { epochs: 3, batchSize: 8 } }) },
  { job: testJob({ training: { epochs: 3, batchSize: 8, optimizer: 'adam', accumulation: 2 } }) },
  {
    job: testJob({
      model: zooModel('resnet20', 1),
      data: { ...testJob().data, input: { dtype: 'float32', shape: [3, 32, 32] } },
      training: { epochs: 1, batchSize: 4, momentum: 0.9 },
    }),
    source: memorySource(
      byteImages({
        ...{ shape: [3, 32, 32], pixels: new Uint8Array(23 * 3072).map((_, i) => (i * 7) % 251) },
        ...{ labels: Array.from({ length: 23 }, (_, i) => i % 10), classes: 10 },
      }),
    ),
  },
  { job: testJob({ model: zooModel('mlp', 1), training: { batchSize: 8, personal: ['fc3*'] } }) },
  {
    job: testJob({ training: { epochs: 2, batchSize: 8 } }),
    augment: { flip: true, crop: 3, noise: 0.1 },
  },
];

describe('a training that is broken off', () => {
  test.each(SETTINGS)(
    'goes on from any checkpoint to the same bits: setting %#',
    async (setting) => {
      const whole = await trained(setting);
      await withJob(setting, async (job) => {
        // So slow that every run has one step, but for the first.
        const steps: number[] = [];
        const all = await job.train(job.initial, 3, undefined, {
          now: clock(3),
          onPause: async (progress, checkpoint) => {
            steps.push(checkpoint.step);
            expect(progress).toMatchObject({ step: checkpoint.step, steps: whole.localSteps });
          },
        });
        expect(all).toEqual(whole);
        expect(steps.length).toBeGreaterThan(0);
        // Other runs, and another process's job.
        await withJob(setting, async (other) => {
          for (const at of [steps[0]!, steps.at(-1)!]) {
            const broken = job.train(job.initial, 3, undefined, {
              now: clock(3),
              onPause: async (_, checkpoint) => {
                if (checkpoint.step === at) throw structuredClone(checkpoint);
              },
            });
            const resume = await broken.then(
              () => undefined,
              (checkpoint) => checkpoint,
            );
            const rest = await other.train(job.initial, 3, undefined, { resume });
            expect(rest).toEqual(whole);
          }
        });
      });
    },
  );
});

/** 64 MiB are what a process takes by itself; the rest has room for a part of the images. */
const SOME = 64 * 2 ** 20 + 150 * 1024;

/** Minibatches of a resident set in an order that is given for each epoch. */
async function listed(
  { info, examples }: ExampleSet,
  epochs: readonly (readonly number[])[],
  plan: EpochPlan,
  form: TargetForm | undefined,
): Promise<Batches> {
  const data = await inputTensor(info, examples);
  const targets = await targetTensor(form, examples);
  const perStep = plan.accumulation * plan.batchSize;
  const rows = epochs.flatMap((list) => {
    const whole = Math.ceil(list.length / perStep) * perStep;
    return [...list, ...new Array<number>(whole - list.length).fill(0)];
  });
  return {
    bytes: 0,
    read: () => ({
      next: async () => ({ steps: plan.steps, data, targets, order: Int32Array.from(rows) }),
    }),
  };
}

describe('a set that is larger than memory', () => {
  const set = noise(700, 12);
  const bytes = exampleBytes(set.info);
  const split = new Split(700, { seed: SPLIT_SEED });

  test('gives minibatches as if its shards were one list, wherever reading begins', async () => {
    const shardSizes = fc.integer({ min: 16, max: 650 });
    const plans = fc.record({
      batchSize: fc.integer({ min: 1, max: 90 }),
      accumulation: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(shardSizes, plans, fc.nat(), fc.nat(), async (rows, cut, seed, start) => {
        const plan = planEpochs({ examples: split.training, epochs: 2, ...cut });
        const shardBytes = rows * bytes;
        const source = memorySource(set);
        const form = undefined;
        const batches = streamedBatches({ source, split, plan, form, shardBytes });
        const from = start % plan.steps;
        const reader = batches.read(seed % 2 ** 32, from);
        const perStep = plan.accumulation * plan.batchSize;
        const perEpoch = plan.steps / plan.epochs;
        for (let step = from; step < plan.steps; ) {
          const { steps, data, order } = await reader.next(5);
          const pixels = data.data as Uint8Array;
          for (let i = 0; i < steps; i++, step++) {
            const epoch = Math.floor(step / perEpoch);
            const list = epochList(shardBytes, seed % 2 ** 32, epoch);
            const wanted = list.slice(
              (step % perEpoch) * perStep,
              ((step % perEpoch) + 1) * perStep,
            );
            const rowsOf = order.subarray(i * perStep, i * perStep + wanted.length);
            const got = Array.from(rowsOf, (row) => pixels.slice(row * 144, (row + 1) * 144));
            expect(got).toEqual(
              wanted.map((at) => set.examples.inputs.slice(at * 144, (at + 1) * 144)),
            );
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  /** Examples of an epoch in the order in which its shards give them. */
  function epochList(bytesMax: number, seed: number, epoch: number): readonly number[] {
    const options = {
      bytesMax,
      split,
      part: 'training',
      seed: seed + 2 ** 32 * (16 + epoch),
    } as const;
    return [...drawShards(set.info, options)].flatMap(({ blocks, indices }) => {
      const places = blocks.flatMap(({ from, count }) =>
        Array.from({ length: count }, (_, i) => from + i),
      );
      return Array.from(indices, (index) => places[index]!);
    });
  }

  const imageJob = (training: Partial<TrainingSettings>) =>
    testJob({
      ...{ model: linearModel(144, 10), training },
      data: { ...testJob().data, input: { dtype: 'float32', shape: [12, 12] } },
    });

  test.each([{}, { optimizer: 'adamw', learningRate: 0.01, accumulation: 2 }] as const)(
    'trains to the same bits as if all lay in memory in the order of its shards: %j',
    async (changes) => {
      const job = imageJob({ epochs: 2, batchSize: 48, ...changes });
      const plan = planEpochs({ ...job.training, examples: split.training });
      const model = readModel(job.model);
      const graph = buildEpochGraph({
        ...{ model, loss: job.loss, plan, optimizer: job.training },
        data: residentData(model, set.info, job.loss),
      });
      const session = await createSession(graph.model, 1);
      const input = graph.model.graph.inputs.find(({ name }) => name === EPOCH_INPUTS.targets);
      const form = targetForm(set.info.target, input, 10);
      const shardBytes = 130 * bytes;
      const source = memorySource(set);
      const train = (batches: Batches) =>
        new LocalTraining({
          ...{ job, plan, graph, session, batches, augment: undefined },
          split: new VectorSplit(model, ALL_SHARED),
          ...{ example: set.info.shape, examples: split.training },
          validate: async () => 0,
        }).train(initialVector(model), 9, { round: 0, rounds: 1 });
      const lists = [0, 1].map((epoch) => epochList(shardBytes, 9, epoch));
      const streamed = await train(streamedBatches({ source, split, plan, form, shardBytes }));
      expect(streamed).toEqual(await train(await listed(set, lists, plan, form)));
      const otherwise = lists.map((list) => list.toReversed());
      expect(streamed).not.toEqual(await train(await listed(set, otherwise, plan, form)));
      await session.release();
    },
  );

  test('is read in blocks of a part of memory, and again to the same bits', async () => {
    const { source, reads } = counted(memorySource(set));
    await withJob({ job: imageJob({ batchSize: 48 }), source, memory: SOME }, async (open) => {
      expect(open.streamed).toBe(true);
      const update = await open.train(open.initial, 9);
      expect(update).toMatchObject({ examples: 630, localSteps: 14 });
      expect(await open.train(open.initial, 9)).toEqual(update);
      expect((await open.train(open.initial, 10)).update).not.toEqual(update.update);
    });
    expect(Math.max(...reads)).toBeLessThan(50);
  });

  test('is evaluated on the validation examples, wherever they lie', async () => {
    const job = imageJob({});
    const source = memorySource(set);
    const resident = await withJob({ job, source }, async (open) => {
      expect(open.streamed).toBe(false);
      return open.evaluate(open.initial, 1000);
    });
    await withJob({ job, source, memory: SOME }, async (open) => {
      const some = await open.evaluate(open.initial, 1000);
      expect(some.examples).toBeGreaterThan(5);
      expect(some.examples).toBeLessThanOrEqual(resident.examples);
      expect(some.lossSum / some.examples / (resident.lossSum / resident.examples)).toBeCloseTo(
        1,
        0,
      );
    });
  });

  test('of which not even a step fits is refused with both figures', async () => {
    const job = imageJob({ batchSize: 630 });
    const source = memorySource(set);
    const memory = 64 * 2 ** 20 + 90 * 1024;
    const opening = openLocalJob({ job, source, threads: 1, memory });
    await expect(opening).rejects.toThrow(/needs at least \d+ MiB, the trainer may take 65 MiB/);
  });
});

describe('targets', () => {
  const count = 60;
  const generator = createGenerator(8);
  const inputs = Float32Array.from({ length: 4 * count }, () => generator.uniform() - 0.5);
  const setOf = (target: TargetInfo, targets: Float32Array | Int32Array | null): ExampleSet => ({
    info: { ...{ format: 'npy', count, shape: [4] }, elements: { dtype: 'float32' }, target },
    examples: { count, inputs, targets },
  });
  const schema = (target: 'numbers' | 'classes' | 'none', classes = 0) => ({
    ...({ task: 't', input: { dtype: 'float32', shape: [4] } } as const),
    ...{ target, classes },
  });

  test.each(['mean-squared-error', 'mean-absolute-error', 'huber', 'smooth-l1'] as const)(
    'that are numbers are learnt by %s',
    async (loss) => {
      // Two numbers that follow from the four: what is learnt can be right.
      const targets = Float32Array.from({ length: 2 * count }, (_, i) => {
        const row = inputs.subarray(4 * Math.floor(i / 2));
        return i % 2 === 0 ? row[0]! - 2 * row[1]! : row[2]! + 0.5;
      });
      const source = memorySource(setOf({ kind: 'numbers', width: 2 }, targets));
      const training = { epochs: 40, batchSize: 9, learningRate: 0.2 };
      const model = linearModel(4, 2);
      const job = testJob({ loss, model, training, data: schema('numbers') });
      await withJob({ job, source }, async (open) => {
        const before = await open.evaluate(open.initial, 99);
        const { update } = await open.train(open.initial, 1);
        const after = await open.evaluate(
          open.initial.map((value, i) => value + update[i]!),
          99,
        );
        expect(after.lossSum).toBeLessThan(0.2 * before.lossSum);
        expect(after).toMatchObject({ correct: 0, examples: 6 });
      });
      const wrong = testJob({ loss, model: linearModel(4, 3), data: schema('numbers') });
      await expect(openLocalJob({ job: wrong, source, threads: 1 })).rejects.toThrow(
        'takes numbers of shape [3] as the target of each example; the data have 2 numbers',
      );
    },
  );

  test('that the model wants and the data lack are named', async () => {
    const source = memorySource(setOf({ kind: 'none' }, null));
    const job = testJob({ model: linearModel(4, 3), data: schema('classes', 3) });
    await expect(openLocalJob({ job, source, threads: 1 })).rejects.toThrow(
      'the model takes whole numbers of shape [] as the target of each example; the data have no',
    );
  });
});

describe('a training that may stop early', () => {
  /** Noise cannot be learned: what is learned by heart makes the validation loss worse. */
  const STUBBORN = { epochs: 12, batchSize: 16, learningRate: 0.2 };
  const settings = (changes: Partial<TrainingSettings>) => ({
    job: testJob({ training: { ...testJob().training, ...STUBBORN, ...changes } }),
  });

  test('ends some epochs after the best one, with the weights of that one', async () => {
    const { update, localSteps } = await withJob(settings({ patience: 2 }), (open) =>
      open.train(open.initial, 3),
    );
    // 142 examples in batches of 16.
    const perEpoch = 9;
    expect(localSteps % perEpoch).toBe(0);
    const epochs = localSteps / perEpoch;
    expect(epochs).toBeLessThan(STUBBORN.epochs - 2);
    // As if it had been told to train so many epochs, but for the order of additions in its norm.
    const told = await withJob(settings({ epochs }), (open) => open.train(open.initial, 3));
    expect(told.localSteps).toBe(localSteps);
    for (const [i, value] of update.entries()) expect(value).toBeCloseTo(told.update[i]!, 5);
  });

  test('goes on where it was broken off, to the same bits', async () => {
    const options = settings({ patience: 3 });
    const whole = await withJob(options, (open) => open.train(open.initial, 3));
    const resumed = await withJob(options, async (open) => {
      const checkpoints: Checkpoint[] = [];
      const now = clock(1);
      const onPause: TrainingHooks['onPause'] = async (_, checkpoint) => {
        checkpoints.push(structuredClone(checkpoint));
      };
      await open.train(open.initial, 3, undefined, { now, onPause });
      const resume = checkpoints[Math.floor(checkpoints.length / 2)]!;
      expect(resume.best).toBeDefined();
      return open.train(open.initial, 3, undefined, { resume });
    });
    expect(resumed).toEqual(whole);
  });
});

test('a bound of steps ends a training in the middle of an epoch', async () => {
  const train = (training: Partial<TrainingSettings>) =>
    withJob({ job: testJob({ training: { ...testJob().training, ...training } }) }, (open) =>
      open.train(open.initial, 3),
    );
  const bounded = await train({ epochs: 3, batchSize: 16, steps: 13 });
  expect(bounded.localSteps).toBe(13);
  const unbounded = await train({ epochs: 3, batchSize: 16, steps: 1_000 });
  expect(unbounded.localSteps).toBe(27);
});

describe('a training that takes too long', () => {
  const slow = (seconds: number): Partial<LocalJobOptions> => ({
    job: testJob({ training: { ...testJob().training, epochs: 3, seconds } }),
  });
  /** With every reading of the clock three seconds later. */
  const timed = (options: Partial<LocalJobOptions>) =>
    withJob(options, (job) => job.train(job.initial, 3, undefined, { now: clock(3) }));

  test('ends with the steps it has, and sends what they gave', async () => {
    const whole = await trained(slow(0));
    const part = await timed(slow(15));
    expect(part.localSteps).toBeGreaterThan(0);
    expect(part.localSteps).toBeLessThan(whole.localSteps);
    expect(part.update.some((value) => value !== 0)).toBe(true);
    // It is what so many steps give that nobody cut short.
    const steps = { ...testJob().training, epochs: 3, steps: part.localSteps };
    const same = await trained({ job: testJob({ training: steps }) });
    expect(part.update).toEqual(same.update);
  });

  test('has all its steps where there is time enough', async () => {
    const whole = await trained(slow(0));
    const timely = await trained(slow(86_400));
    expect([timely.localSteps, timely.update]).toEqual([whole.localSteps, whole.update]);
  });
});
