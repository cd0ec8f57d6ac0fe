import { GraphBuilder, type Model, scalar, tensorOf, writeModel } from '@starling/onnx';
import type { Log } from '@starling/core';
import { expect, onTestFinished, test } from 'vitest';
import { noiseJob, noiseTrainer } from '../cage/bars.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import type { Precision } from '@starling/autodiff';

/** Sums 784 pixels times 1000, which no float16 holds, and makes small numbers of them. */
function wideModel(): Model {
  const builder = new GraphBuilder();
  const input = builder.input('input', { dtype: 'float32', shape: [1, 784] });
  const values = Array.from({ length: 7840 }, (_, i) => 1000 + (i % 7));
  const weights = builder.constant(tensorOf('float32', [784, 10], values), 'weights');
  const sums = builder.add('MatMul', [input, weights]);
  const output = builder.add('Mul', [sums, builder.constant(scalar(1e-5))]);
  const { inputs, outputs, ...graph } = builder.finish('wide', [output]);
  const open = (list: typeof inputs) =>
    list.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(inputs), outputs: open(outputs) } };
}

/** A trainer on the CPU, which takes float16 there as no owner's does. */
async function opened(precision: Precision) {
  const lines: string[] = [];
  const warn = (message: string, fields?: object) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug() {}, info() {}, warn, error() {} };
  const trainer = await noiseTrainer(
    await temporaryDirectory(),
    {},
    {
      log,
      places: { reports: async () => [], choose: async () => ({ device: 'cpu', precision }) },
    },
  );
  onTestFinished(() => trainer.close());
  return { trainer, lines };
}

test('a job beyond float16 trains its round again in float32, and stays there', async () => {
  const job = noiseJob({ model: writeModel(wideModel()) });
  const [half, full] = [await opened('float16'), await opened('float32')];
  const there = await half.trainer.prepare(job);
  const here = await full.trainer.prepare(job);
  const wanted = await here.train(here.initial, 5);
  const overflowed = /^the job left the range of float16 and goes on in float32 .*loss of step 1 /;
  expect(await there.train(there.initial, 5)).toEqual(wanted);
  expect(half.lines.filter((line) => overflowed.test(line))).toHaveLength(1);
  expect(await there.train(there.initial, 6)).toEqual(await here.train(here.initial, 6));
  expect(half.lines.filter((line) => overflowed.test(line))).toHaveLength(1);
});

test('a job within it trains in float16, and is told apart from float32', async () => {
  const [half, full] = [await opened('float16'), await opened('float32')];
  const there = await half.trainer.prepare(noiseJob());
  const here = await full.trainer.prepare(noiseJob());
  const [found, wanted] = [await there.train(there.initial, 5), await here.train(here.initial, 5)];
  const error = Math.abs(found.trainingLoss - wanted.trainingLoss) / wanted.trainingLoss;
  expect(error).toBeLessThan(0.005);
  expect(found.update).not.toEqual(wanted.update);
  expect(half.lines.filter((line) => line.includes('float16'))).toEqual([]);
});
