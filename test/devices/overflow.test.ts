import type { Log } from '@starling/core';
import { GraphBuilder, type Model, scalar, tensorOf, writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerOptions } from '@starling/trainer';
import { expect, onTestFinished, test } from 'vitest';
import { noiseJob, noiseTrainer } from '../cage/bars.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

/**
 * Logits by way of very small numbers, whose gradients are very large ones. ONNX Runtime's CPU
 * leaves out casts there and back, so what overflows on it is not float16: it is the loss scale, in
 * float32. To the trainer that is the same.
 */
function steepModel(): Model {
  const builder = new GraphBuilder();
  const input = builder.input('input', { dtype: 'float32', shape: [1, 784] });
  const values = Array.from({ length: 7840 }, (_, i) => ((i % 7) - 3) / 100);
  const weights = builder.constant(tensorOf('float32', [784, 10], values), 'weights');
  const logits = builder.add('MatMul', [input, weights]);
  const small = builder.add('Mul', [logits, builder.constant(scalar(2 ** -124))]);
  const output = builder.add('Mul', [small, builder.constant(scalar(2 ** 124))]);
  const { inputs, outputs, ...graph } = builder.finish('steep', [output]);
  const open = (list: typeof inputs) =>
    list.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(inputs), outputs: open(outputs) } };
}

async function opened(change: Pick<TrainerOptions, 'places'>) {
  const lines: string[] = [];
  const warn = (message: string, fields?: object) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug() {}, info() {}, warn, error() {} };
  const trainer = await noiseTrainer(await temporaryDirectory(), {}, { log, ...change });
  onTestFinished(() => trainer.close());
  return { trainer, lines };
}

const half = { device: 'cpu', precision: 'float16' } as const;

test('a job that overflows trains its round again in float32, and stays there', async () => {
  const training = { ...DEFAULT_TRAINING, epochs: 1, frozen: ['constant*'] };
  const job = noiseJob({ model: writeModel(steepModel()), training });
  const places = { reports: async () => [], choose: async () => half };
  const { trainer, lines } = await opened({ places });
  const there = await trainer.prepare(job);
  const here = await (await opened({})).trainer.prepare(job);
  const retreats = () =>
    lines.filter((line) => line.startsWith('the job left the range of float16 and goes on in'));
  const wanted = await here.train(here.initial, 5);
  expect(wanted.norm).toBeGreaterThan(0);
  expect(await there.train(there.initial, 5)).toEqual(wanted);
  expect(retreats()).toEqual([expect.stringContaining('local training diverged: ')]);
  expect(await there.train(there.initial, 6)).toEqual(await here.train(here.initial, 6));
  expect(retreats()).toHaveLength(1);
  expect(lines).toHaveLength(retreats().length + lines.filter((line) => /cage/.test(line)).length);
});
