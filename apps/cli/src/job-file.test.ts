import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@starling/core';
import { readModel, writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { parseJobFile, readJob } from './job-file.ts';

const JOB = `name: mnist-mlp
model: zoo:mlp
data: {task: mnist, input: {dtype: float32, shape: [784]}, classes: 10}
loss: softmax-cross-entropy
training: {epochs: 1, batchSize: 32, optimizer: sgd, learningRate: 0.1}
aggregation: {algorithm: fedavg, weighting: uniform, ringBits: 24, clippingNorm: 10}
privacy: {mechanism: none}
admission: {minPeers: 3, maxPeers: 64, joinWindowSeconds: 5}
stop: {rounds: 10}
`;

/** The job above, with its model of the zoo. */
async function readZoo() {
  const file = join(await temporaryDirectory(), 'zoo.yaml');
  await writeFile(file, JOB);
  return readJob(file, 1);
}

/** The message for a job file that was changed in one place. */
function messageFor(change: (text: string) => string): string {
  try {
    parseJobFile(change(JOB), 'job.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the file was taken');
}

describe('a job file', () => {
  test('is read as the README has it', () => {
    const job = parseJobFile(JOB, 'job.yaml');
    expect(job.training).toEqual(DEFAULT_TRAINING);
    expect(job.stop.rounds).toBe(10);
  });

  test('may leave out what has a default', () => {
    const least =
      'name: x\nmodel: m.onnx\ndata: {task: t, input: {shape: [4]}}\nstop: {rounds: 1}\n';
    expect(parseJobFile(least, 'job.yaml').admission.minPeers).toBe(3);
  });

  test.each([
    ['a value out of range', 'rounds: 10', 'rounds: 0', /^job\.yaml, line 9, stop\.rounds: /],
    ['a key that is unknown', 'epochs: 1', 'epoch: 1', /line 5, training\.epoch: .*no such key/],
    [
      'a key of another kind',
      'epochs: 1',
      'alpha: 0.5',
      /line 5, training\.alpha: sgd has no alpha/,
    ],
    ['a word for a number', 'clippingNorm: 10', 'clippingNorm: ten', /line 6, aggregation\.clip/],
    ['a wrong list item', '[784]', '[784, -1]', /line 3, data\.input\.shape\.1: /],
    ['a missing key', 'stop: {rounds: 10}\n', '', /^job\.yaml, line 1, stop: /],
    ['a missing inner key', '{rounds: 10}', '{}', /^job\.yaml, line 9, stop\.rounds: /],
    ['broken YAML', '{mechanism: none}', '{mechanism: none', /^job\.yaml, line \d+: is no YAML: /],
    ['an alias of nothing', 'rounds: 10', 'rounds: *ten', /^job\.yaml: is no YAML: .*alias.*ten/],
    ['a key given twice', 'stop:', 'name: y\nstop:', /^job\.yaml, line \d+: is no YAML: .*unique/],
  ])('with %s is refused by line and key', (_, from, to, message) => {
    expect(messageFor((text) => text.replace(from, to))).toMatch(message);
  });

  test('that is no mapping is refused', () => {
    expect(messageFor(() => '- a\n- b\n')).toMatch(/^job\.yaml, line 1, job: /);
  });

  test('errors stay on one line', () => {
    expect(messageFor((text) => text.replace('{mechanism', '{{'))).not.toContain('\n');
  });
});

describe('the model of a job', () => {
  test('is a file beside the job file', async () => {
    const folder = await temporaryDirectory();
    await writeFile(join(folder, 'mine.onnx'), 'bytes');
    await writeFile(join(folder, 'job.yaml'), JOB.replace('zoo:mlp', 'mine.onnx'));
    const { model } = await readJob(join(folder, 'job.yaml'), 0);
    expect(Buffer.from(model).toString()).toBe('bytes');
  });

  test('of the zoo is a function of the seed', async () => {
    const file = join(await temporaryDirectory(), 'job.yaml');
    await writeFile(file, JOB);
    const [first, again, other] = [
      await readJob(file, 1),
      await readJob(file, 1),
      await readJob(file, 2),
    ];
    expect(again.model).toEqual(first.model);
    expect(other.model).not.toEqual(first.model);
    expect(readModel(first.model).graph.initializers.has('fc1.weight')).toBe(true);
  });

  test.each([
    ['that is not there', 'gone.onnx', /job\.yaml, model: cannot read .*gone\.onnx/],
    ['that the zoo lacks', 'zoo:bert', /the zoo has no "bert"\. It has logistic, mlp, cnn/],
  ])('%s is named', async (_, model, message) => {
    const file = join(await temporaryDirectory(), 'job.yaml');
    await writeFile(file, JOB.replace('zoo:mlp', model));
    await expect(readJob(file, 0)).rejects.toThrow(message);
  });

  test('with several outputs is launched with the one that the job names', async () => {
    const folder = await temporaryDirectory();
    const { graph } = readModel((await readZoo()).model);
    const hidden = { ...graph.outputs[0]!, name: graph.nodes[1]!.outputs[0]! };
    const outputs = [...graph.outputs, hidden];
    await writeFile(join(folder, 'two.onnx'), writeModel({ graph: { ...graph, outputs } }));
    const job = (output: string) => `${JOB.replace('zoo:mlp', 'two.onnx')}output: ${output}\n`;
    await writeFile(join(folder, 'job.yaml'), job(hidden.name));
    const { model } = await readJob(join(folder, 'job.yaml'), 0);
    const chosen = readModel(model).graph;
    expect(chosen.outputs.map(({ name }) => name)).toEqual([hidden.name]);
    expect(chosen.nodes.length).toBeLessThan(graph.nodes.length);
    await writeFile(join(folder, 'job.yaml'), job('boxes'));
    await expect(readJob(join(folder, 'job.yaml'), 0)).rejects.toThrow('no output "boxes"');
  });

  test('is not looked for when the job file is missing', async () => {
    await expect(readJob('/nowhere/job.yaml', 0)).rejects.toThrow(
      /job: cannot read .*no such file/,
    );
  });
});
