import { createGenerator, initialVector, VectorSplit, zooModel } from '@starling/autodiff';
import type { TrainerJob, TrainingSettings } from '@starling/rounds';
import { describe, expect, onTestFinished, test } from 'vitest';
import { byteImages, type ExampleSet, memorySource } from './data/example-set.ts';
import { type LocalJob, openLocalJob } from './local-job.ts';
import { testJob } from './testing/jobs.ts';

const CLASSES = 10;

/** Images with a bright row, whose class a peer names in its own way. */
function rows(seed: number, nameOf: (row: number) => number, count = 300): ExampleSet {
  const generator = createGenerator(seed);
  const bright = Array.from({ length: count }, () => generator.below(CLASSES));
  const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => {
    const row = Math.floor((i % 784) / 28);
    return generator.below(60) + (Math.floor(row / 2.8) === bright[Math.floor(i / 784)] ? 190 : 0);
  });
  return byteImages({ shape: [28, 28], pixels, labels: bright.map(nameOf), classes: CLASSES });
}

const mlp = zooModel('mlp', 3);
const HEAD = ['fc3.*'];
const split = new VectorSplit(mlp, { frozen: [], personal: HEAD });

const jobOf = (
  training: Partial<TrainingSettings>,
  more: Partial<Omit<TrainerJob, 'training' | 'model'>> = {},
) => testJob({ model: mlp, training: { personal: HEAD, batchSize: 16, ...training }, ...more });

async function open(job: TrainerJob, set = rows(1, (row) => row)): Promise<LocalJob> {
  const opened = await openLocalJob({ job, source: memorySource(set), threads: 1 });
  onTestFinished(() => opened.close());
  return opened;
}

const plus = (a: Float32Array, b: Float32Array) => a.map((value, i) => value + b[i]!);
const normOf = (vector: Float32Array) =>
  Math.sqrt(vector.reduce((sum, value) => sum + value ** 2, 0));
const minus = (a: Float32Array, b: Float32Array) => a.map((value, i) => value - b[i]!);
const farthest = (a: Float32Array, b: Float32Array) =>
  minus(a, b).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const context = { round: 0, rounds: 1 };
const launched = split.own(initialVector(mlp));

describe('training with personal weights', () => {
  test('moves shared and own weights as training of them all does', async () => {
    const [some, all] = [await open(jobOf({})), await open(jobOf({ personal: [] }))];
    expect(some.layout).toEqual(split.layout);
    expect(farthest(some.initial, split.shared(all.initial))).toBe(0);
    const [parted, whole] = [await some.train(some.initial, 5), await all.train(all.initial, 5)];
    expect(farthest(parted.update, split.shared(whole.update))).toBe(0);
    expect(parted.localSteps).toBe(whole.localSteps);
    expect(parted.trainingLoss).toBeCloseTo(whole.trainingLoss, 5);
    const own = plus(launched, split.own(whole.update));
    expect(farthest(parted.personal!, own)).toBeLessThan(1e-6);
    expect(whole.personal).toBeUndefined();
  });

  test('goes on from what an earlier training gave, and is scored with it', async () => {
    const job = await open(jobOf({ epochs: 2 }));
    const first = await job.train(job.initial, 5);
    const { personal } = first;
    const vector = plus(job.initial, first.update);
    const [before, after] = [
      await job.evaluate(vector, 100),
      await job.evaluate(vector, 100, personal),
    ];
    expect(after.lossSum).toBeLessThan(before.lossSum);
    const second = await job.train(vector, 6, { ...context, personal });
    expect(second.trainingLoss).toBeLessThan(first.trainingLoss);
    expect(second.personal).not.toEqual(personal);
    const anew = await job.train(vector, 6, context);
    expect(anew.trainingLoss).toBeGreaterThan(second.trainingLoss);
    const wrong = { ...context, personal: new Float32Array(3) };
    await expect(job.train(vector, 6, wrong)).rejects.toThrow('personal weights of 3 elements');
    await expect(job.evaluate(vector, 9, new Float32Array(3))).rejects.toThrow('personal weights');
  });

  test('norm and clipping are of what is shared', async () => {
    const settings = { learningRate: 0.5 };
    const [free, held] = [
      await open(jobOf(settings)),
      await open(jobOf(settings, { clippingNorm: 0.01 })),
    ];
    const [long, short] = [await free.train(free.initial, 5), await held.train(held.initial, 5)];
    expect(long.norm).toBeCloseTo(normOf(long.update), 3);
    expect(short.norm).toBe(long.norm);
    expect(normOf(short.update)).toBeCloseTo(0.01, 6);
    expect(short.personal).toEqual(long.personal);
  });

  test('the best epoch gives its own weights, too', async () => {
    const job = await open(jobOf({ epochs: 6, patience: 1, learningRate: 0.5 }));
    const { update, personal } = await job.train(job.initial, 5);
    const vector = plus(job.initial, update);
    const best = await job.evaluate(vector, 100, personal);
    expect(best.lossSum).toBeLessThan((await job.evaluate(vector, 100)).lossSum);
  });

  test('the proximal term pulls shared weights alone', async () => {
    // With μ · η = 1 a weight that is pulled stands one step from where it began.
    const pulled = { learningRate: 0.1, proximal: 10 };
    const [some, all] = [await open(jobOf(pulled)), await open(jobOf({ ...pulled, personal: [] }))];
    const [parted, whole] = [await some.train(some.initial, 5), await all.train(all.initial, 5)];
    const moved = normOf(minus(parted.personal!, launched));
    expect(moved).toBeGreaterThan(3 * normOf(split.own(whole.update)));
    expect(normOf(parted.update)).toBeLessThan(2 * normOf(split.shared(whole.update)));
  });

  test('a control variate corrects shared weights alone', async () => {
    const job = await open(jobOf({ epochs: 1 }, { control: true }));
    const zeros = new Float32Array(job.layout.parameters);
    const plain = await job.train(job.initial, 1, { ...context, control: zeros });
    const pushed = await job.train(job.initial, 1, { ...context, control: zeros.map(() => 0.01) });
    const drift = pushed.update.reduce((sum, value, i) => sum + value - plain.update[i]!, 0);
    expect(drift).toBeLessThan(-0.1);
    const own = minus(plain.personal!, pushed.personal!);
    // Its weights feel only that the others went elsewhere.
    expect(normOf(own)).toBeLessThan(0.1 * Math.abs(drift));
  });

  test('a model of personal weights alone is refused', async () => {
    await expect(open(jobOf({ personal: ['*'] }))).rejects.toThrow('no weight is left to share');
  });

  test('patterns that match nothing are warned of', async () => {
    const { warnings } = await open(jobOf({ personal: ['fc3.*', 'head'] }));
    expect(warnings).toEqual(['personal: "head" matches no weight that is trained']);
  });
});

/** Federated averaging of two peers that call the same images by other names. */
async function federate(personal: readonly string[]) {
  const sets = [rows(1, (row) => row), rows(2, (row) => (row + 5) % CLASSES)];
  const jobs = await Promise.all(
    sets.map((set) => open(jobOf({ personal: [...personal], epochs: 2, learningRate: 0.2 }), set)),
  );
  let vector = jobs[0]!.initial;
  let own: readonly (Float32Array | undefined)[] = [undefined, undefined];
  for (let round = 0; round < 4; round++) {
    const made = await Promise.all(
      jobs.map((job, i) => job.train(vector, round, { ...context, personal: own[i] })),
    );
    vector = vector.map((value, k) => value + (made[0]!.update[k]! + made[1]!.update[k]!) / 2);
    own = made.map((each) => each.personal);
  }
  const scores = await Promise.all(jobs.map((job, i) => job.evaluate(vector, 100, own[i])));
  return { own, accuracy: scores.map(({ correct, examples }) => correct / examples) };
}

test('with heads of their own, peers who disagree on names share a body', async () => {
  const [together, apart] = [await federate([]), await federate(HEAD)];
  for (const accuracy of together.accuracy) expect(accuracy).toBeLessThan(0.75);
  for (const accuracy of apart.accuracy) expect(accuracy).toBeGreaterThan(0.95);
  const [mine, theirs] = apart.own as [Float32Array, Float32Array];
  expect(normOf(minus(mine, theirs))).toBeGreaterThan(1);
});
