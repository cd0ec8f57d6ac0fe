import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ALL_SHARED, zooModel } from '@starling/autodiff';
import { writeModel } from '@starling/onnx';
import type { PreparedJob } from '@starling/rounds';
import {
  inspectOffer,
  openDataSource,
  type ProcessTrainer,
  type TrainerLimits,
} from '@starling/trainer';
import { ModelProtoSchema, StringStringEntryProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import { expect, onTestFinished, test } from 'vitest';
import { openLocalJob } from '../../packages/trainer/src/local-job.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { greedyModel, loopingModel, noiseJob, noiseTrainer } from './bars.ts';

const MIB = 2 ** 20;
/** More minibatches than a minute has time for. */
const ENDLESS = 50_000;

async function opened(limits: Partial<TrainerLimits> = {}): Promise<ProcessTrainer> {
  const trainer = await noiseTrainer(await temporaryDirectory(), limits);
  onTestFinished(() => trainer.close());
  return trainer;
}

const code = (wanted: string) => expect.objectContaining({ code: wanted });

/** Trains a small job over and over while `act` runs, and expects its child to live through it. */
async function besideAnother(
  trainer: ProcessTrainer,
  act: () => Promise<void>,
  job = noiseJob(),
): Promise<void> {
  const other = await trainer.prepare(job);
  const [pid] = trainer.pids;
  let acting = true;
  let trained = 0;
  const training = async () => {
    for (; acting || trained === 0; trained++) await other.train(other.initial, trained);
  };
  const acted = act().finally(() => {
    acting = false;
  });
  await Promise.all([acted, training()]);
  expect(trained).toBeGreaterThan(0);
  expect(trainer.pids).toContain(pid);
}

async function refusedAfterThree(job: PreparedJob, deaths: string[], why: string): Promise<void> {
  for (const death of deaths) await expect(job.train(job.initial, 1)).rejects.toEqual(code(death));
  const refused = expect(job.train(job.initial, 1)).rejects;
  await refused.toThrow(`the model ended the trainer three times: ${why}`);
}

test('a model that takes more memory than it may is ended, thrice, then refused', async () => {
  const trainer = await opened({ memory: 320 * MIB });
  await besideAnother(trainer, async () => {
    const endless = trainer.prepare(noiseJob({ model: writeModel(greedyModel(2000)) }));
    await expect(endless).rejects.toThrow('needs too much memory');
    const model = writeModel(greedyModel(60));
    const job = await trainer.prepare(noiseJob({ model }));
    for (let i = 0; i < 3; i++) {
      const training = job.train(job.initial, 1);
      await expect(training).rejects.toMatchObject({
        code: expect.stringMatching(/^(out-of-memory|trainer-died)$/),
      });
      // Its death follows its answer.
      await until(() => trainer.pids.length === 1);
    }
    await refusedAfterThree(job, [], 'out of memory three times');
  });
});

test('a model that can never fit is refused before ONNX Runtime takes memory', async () => {
  const folder = await temporaryDirectory();
  await (await noiseTrainer(folder, {})).close();
  const job = noiseJob({ model: writeModel(greedyModel(1)) });
  const { plan } = await inspectOffer('noise', folder, {});
  const source = await openDataSource(folder, plan);
  onTestFinished(() => source.close());
  const opening = openLocalJob({
    ...{ job, source, threads: 1, memory: 72 * MIB },
  });
  await expect(opening).rejects.toMatchObject({ code: 'job-limit' });
  await expect(opening).rejects.toThrow(/needs at least \d+ MiB, the trainer may take 72 MiB$/);
});

test('a run beyond its time is ended, thrice, then refused', async () => {
  // Three minibatches each epoch: half a second for all of them.
  const trainer = await opened({ secondsPerStep: 1 / (6 * ENDLESS) });
  const endless = await trainer.prepare(noiseJob({}, ENDLESS));
  const deaths = Array.from({ length: 3 }, () => 'trainer-died');
  await refusedAfterThree(endless, deaths, 'time limit three times');
});

test('a training without end ends at its time while another job goes on', async () => {
  // What counts is the time for a step: the other job has many of them, and quick ones.
  const trainer = await opened({ secondsPerStep: 0.002 });
  const quick = noiseJob({ model: writeModel(zooModel('logistic', 1)) }, 1000);
  await besideAnother(
    trainer,
    async () => {
      const slow = { ...noiseJob().training, batchSize: 90, epochs: 200 };
      const model = writeModel(greedyModel(40));
      const endless = await trainer.prepare(noiseJob({ model, training: slow }));
      const run = endless.train(endless.initial, 1);
      await expect(run).rejects.toThrow('no answer to train within 0.4 s');
    },
    quick,
  );
});

test('a model with a loop that never ends is refused before anything runs', async () => {
  const trainer = await opened();
  await besideAnother(trainer, async () => {
    const model = writeModel(loopingModel());
    const refusal = /\(Loop\): more than \d+ iterations/;
    await expect(trainer.prepare(noiseJob({ model }))).rejects.toThrow(refusal);
    await expect(trainer.describe(model, ALL_SHARED)).rejects.toThrow(refusal);
  });
});

test('external data are refused, and nothing dies of it', async () => {
  const trainer = await opened();
  await besideAnother(trainer, async () => {
    const proto = fromBinary(ModelProtoSchema, writeModel(zooModel('mlp', 1)));
    const tensor = proto.graph!.initializer[0]!;
    tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
    const entry = { key: 'location', value: '../../../../etc/passwd' };
    tensor.externalData = [create(StringStringEntryProtoSchema, entry)];
    const model = toBinary(ModelProtoSchema, proto);
    await expect(trainer.prepare(noiseJob({ model }))).rejects.toThrow('external data is refused');
    await expect(trainer.describe(model, ALL_SHARED)).rejects.toThrow('external data is refused');
  });
});

test('kill -9 in mid-epoch costs one run: the next call trains in another child', async () => {
  const trainer = await opened();
  await besideAnother(trainer, async () => {
    const before = trainer.pids;
    const endless = await trainer.prepare(noiseJob({}, ENDLESS));
    const pid = trainer.pids.find((one) => !before.includes(one))!;
    const run = expect(endless.train(endless.initial, 1)).rejects.toEqual(code('trainer-died'));
    process.kill(pid, 'SIGKILL');
    await run;
    expect((await endless.evaluate(endless.initial, 5)).examples).toBe(5);
    await endless.close();
    expect(trainer.pids).toHaveLength(1);
    await until(() => !alive(pid));
  });
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
