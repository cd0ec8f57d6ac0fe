import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyVector, initialVector } from '@starling/autodiff';
import { jobFileSchema, manifestOf } from '@starling/control';
import { readModel } from '@starling/onnx';
import { expect, onTestFinished, test } from 'vitest';
import { type FinishedJob, type ReproduceOptions, reproduce, settingsOf } from './reproduce.ts';
import { clouds, tinyModel } from './testing/tiny.ts';

const launched = tinyModel();
const manifest = manifestOf(
  jobFileSchema.parse({
    ...{ name: 'clouds', model: 'tiny.onnx' },
    data: { task: 'clouds', input: { shape: [2] }, classes: 2 },
    training: { batchSize: 8, epochs: 2, optimizer: 'adam', learningRate: 0.05 },
    aggregation: { algorithm: 'fedavgm', learningRate: 0.5 },
    admission: { participation: 0.5 },
    stop: { rounds: 100, target: { metric: 'accuracy', value: 0.9 } },
  }),
  launched,
);
const finished: FinishedJob = {
  ...{ manifest, launched, certified: launched, rounds: 4, participants: 5 },
};

async function options(): Promise<ReproduceOptions> {
  const folder = await mkdtemp(join(tmpdir(), 'starling-again-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { inputs, targets } = clouds(300).train.examples;
  const rows = Array.from(targets!, (label, i) => `${inputs[2 * i]},${inputs[2 * i + 1]},${label}`);
  await writeFile(join(folder, 'clouds.csv'), `x,y,label\n${rows.join('\n')}\n`);
  const data = { set: 'clouds.csv', label: 'label' };
  return { data, partition: { kind: 'iid' }, engine: 'plain', seed: 1, folder, out: folder };
}

test('a manifest says all of the experiment but the data and who has what', async () => {
  const settings = settingsOf(finished, await options());
  expect(settings).toMatchObject({
    clients: 10,
    participation: 0.5,
    cells: 1,
    stop: { rounds: 4 },
  });
  expect(settings.training).toEqual(manifest.training);
  expect(settings.aggregation).toMatchObject({ algorithm: 'fedavgm', learningRate: 0.5 });
  const many = { ...finished, participants: 300 };
  expect(settingsOf(many, await options()).cells).toBe(5);
  const wrong = { ...(await options()), partition: { kind: 'dirichlet' } };
  expect(() => settingsOf(finished, wrong)).toThrow('partition.alpha');
});

test('both models are scored on the same examples, and the same seed gives the same', async () => {
  const first = await reproduce(finished, await options());
  expect(first.rounds.map(({ round }) => round)).toEqual([1, 2, 3, 4]);
  expect(first.again.accuracy).toBeGreaterThan(0.9);
  // The launched weights stand for a job that learned nothing.
  expect(first.certified.accuracy).toBeLessThan(first.again.accuracy);
  const again = await reproduce(finished, await options());
  expect([again.certified, again.again]).toEqual([first.certified, first.again]);
  const vector = initialVector(readModel(launched)).map((_, i) => [-1, 1, 1, -1, 0, 0][i]!);
  const certified = applyVector(launched, vector);
  const good = await reproduce({ ...finished, certified }, await options());
  expect(good.certified.accuracy).toBeGreaterThan(0.95);
});
