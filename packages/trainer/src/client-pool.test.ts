import { createGenerator } from '@starling/autodiff';
import { expect, test } from 'vitest';
import { openClientPool } from './client-pool.ts';
import { byteImages, memorySource, selectExamples } from './data/example-set.ts';
import { SPLIT_SEED, Split } from './data/split.ts';
import { openLocalJob } from './local-job.ts';
import { testJob } from './testing/jobs.ts';

const COUNT = 90;
const generator = createGenerator(5);
const SET = byteImages({
  ...{ shape: [28, 28], classes: 10 },
  pixels: Uint8Array.from({ length: 784 * COUNT }, () => generator.below(256)),
  labels: Int32Array.from({ length: COUNT }, (_, i) => i % 10),
});
const range = (from: number, to: number) =>
  Int32Array.from({ length: to - from }, (_, i) => from + i);

const job = testJob({ training: { batchSize: 8, epochs: 2, learningRate: 0.05 } });

test('a virtual client trains to the very bits of a peer with the same examples', async () => {
  const theirs = range(20, 60);
  const source = memorySource(selectExamples(SET, theirs));
  const alone = await openLocalJob({ job, source, threads: 1 });
  const expected = await alone.train(alone.initial, 77);
  await alone.close();
  const training = new Split(40, { seed: SPLIT_SEED }).indices('training');
  const pool = await openClientPool({ job, examples: SET, threads: 1 });
  // Others train before it in the same sessions, with plans like its own and unlike it.
  await pool.train({ indices: range(0, 36) }, pool.initial, 1);
  await pool.train({ indices: range(0, 7) }, pool.initial, 2);
  const indices = training.map((index) => theirs[index]!);
  expect(pool.layout).toEqual(alone.layout);
  expect(pool.initial).toEqual(alone.initial);
  expect(await pool.train({ indices }, pool.initial, 77)).toEqual(expected);
  await pool.close();
});

test('a slow client does fewer epochs, and more plans than sessions do no harm', async () => {
  const pool = await openClientPool({ job, examples: SET, threads: 1 });
  const first = await pool.train({ indices: range(0, 3) }, pool.initial, 1);
  for (let size = 4; size < 24; size++) {
    await pool.train({ indices: range(0, size) }, pool.initial, 1);
  }
  expect(await pool.train({ indices: range(0, 3) }, pool.initial, 1)).toEqual(first);
  const slow = await pool.train({ indices: range(0, 40), epochs: 1 }, pool.initial, 1);
  expect([slow.localSteps, slow.examples]).toEqual([5, 40]);
  await pool.close();
});

test('early stopping, which needs validation examples, is refused', async () => {
  const patient = testJob({ training: { patience: 1 } });
  await expect(openClientPool({ job: patient, examples: SET, threads: 1 })).rejects.toThrow(
    /no validation examples/,
  );
});
