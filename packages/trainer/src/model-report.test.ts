import { createGenerator, zooModel } from '@starling/autodiff';
import { type Model, tensorOf, writeModel } from '@starling/onnx';
import { expect, test } from 'vitest';
import { byteImages, memorySource } from './data/example-set.ts';
import type { DataSource } from './data/source.ts';
import { reportModel } from './model-report.ts';
import { evaluateModel } from './scorer.ts';

function noiseSet(count: number, classes: number) {
  const generator = createGenerator(1);
  const draw = (many: number, below: number) =>
    Uint8Array.from({ length: many }, () => generator.below(below));
  const pixels = draw(count * 784, 256);
  return byteImages({ shape: [28, 28], pixels, labels: draw(count, classes), classes });
}

const noise = (count: number, classes: number): DataSource =>
  memorySource(noiseSet(count, classes));

/** x·w with `outputs` outputs and what `last` makes of them. */
function linear(outputs: number, last?: string): Model {
  const values = (name: string, shape: readonly (string | number)[]) =>
    ({ name, dtype: 'float32', shape }) as const;
  const generator = createGenerator(2);
  const weights = Array.from({ length: 784 * outputs }, () => (generator.uniform() - 0.5) / 10);
  const node = (op: string, inputs: readonly string[], output: string) => ({
    ...{ name: output, op, inputs, outputs: [output], attributes: new Map() },
  });
  return {
    graph: {
      name: 'linear',
      nodes: [
        node('MatMul', ['x', 'w'], last ? 'h' : 'y'),
        ...(last ? [node(last, ['h'], 'y')] : []),
      ],
      initializers: new Map([['w', tensorOf('float32', [784, outputs], weights)]]),
      inputs: [values('x', ['batch', 784])],
      outputs: [values('y', ['batch', outputs])],
    },
  };
}

test('counts and loss are those of the trainer’s own evaluation', async () => {
  const set = noiseSet(300, 10);
  const source = memorySource(set);
  const model = writeModel(zooModel('cnn', 3));
  const done: number[] = [];
  const report = await reportModel({
    model,
    source,
    head: 'auto',
    onProgress: (n) => done.push(n),
  });
  const wanted = await evaluateModel(model, set);
  expect(report).toMatchObject({ kind: 'classes', accuracy: wanted.accuracy, examples: 300 });
  expect(Math.abs(report.loss - wanted.meanLoss)).toBeLessThan(1e-5 * wanted.meanLoss);
  expect(done).toEqual([256, 300]);
});

test('a model that ends in Softmax is read as probabilities', async () => {
  const source = noise(20, 3);
  const scores = await reportModel({ model: writeModel(linear(3)), source, head: 'auto' });
  const shares = await reportModel({
    model: writeModel(linear(3, 'Softmax')),
    source,
    head: 'auto',
  });
  expect(shares).toMatchObject({
    accuracy: expect.closeTo((scores as { accuracy: number }).accuracy),
  });
  expect(shares.loss).toBeCloseTo(scores.loss, 4);
});

test('one output is a class of two, or a number', async () => {
  const model = writeModel(linear(1));
  expect(await reportModel({ model, source: noise(20, 2), head: 'auto' })).toMatchObject({
    ...{ kind: 'classes', confusion: [expect.any(Array), expect.any(Array)] },
  });
  const numbers = await reportModel({ model, source: noise(20, 9), head: 'auto' });
  expect(numbers).toMatchObject({ kind: 'numbers', examples: 20 });
  const forced = await reportModel({ model, source: noise(20, 2), head: 'numbers' });
  expect(forced.kind).toBe('numbers');
});

test('only the chosen part of the split counts', async () => {
  const model = writeModel(linear(3));
  const part = async (split: 'all' | 'validation' | 'training') =>
    (await reportModel({ model, source: noise(50, 3), head: 'auto', split })).examples;
  expect(await part('all')).toBe(50);
  expect(await part('validation')).toBe(5);
  expect(await part('training')).toBe(45);
});

test('what does not fit is said in numbers', async () => {
  const few = reportModel({ model: writeModel(linear(3)), source: noise(50, 9), head: 'auto' });
  await expect(few).rejects.toThrow('it has 3 outputs, and the data have labels up to 8');
  const many = reportModel({ model: writeModel(linear(3)), source: noise(9, 3), head: 'numbers' });
  await expect(many).rejects.toThrow(
    'it has 3 outputs of shape [3], and the data ask for one number',
  );
});

test('every place of a sequence counts', async () => {
  const length = 64;
  const tokens = Int32Array.from({ length: 4 * length }, (_, i) => (i * 7) % 80);
  const source = memorySource({
    info: {
      ...{ format: 'text', count: 4, shape: [length], elements: { dtype: 'int32' } },
      target: { kind: 'sequence', count: 80, length },
    },
    examples: { count: 4, inputs: tokens, targets: tokens },
  });
  const report = await reportModel({ model: writeModel(zooModel('gpt', 1)), source, head: 'auto' });
  expect(report).toMatchObject({ kind: 'classes', examples: 4 * length });
});

test('several numbers for an example are compared one by one', async () => {
  const inputs = new Float32Array(3 * 784).fill(0.5);
  const source = memorySource({
    info: {
      ...{ format: 'npy', count: 3, shape: [784], elements: { dtype: 'float32' } },
      target: { kind: 'numbers', width: 2 },
    },
    examples: { count: 3, inputs, targets: Float32Array.of(1, 2, 3, 4, 5, 6) },
  });
  const report = await reportModel({ model: writeModel(linear(2)), source, head: 'auto' });
  expect(report).toMatchObject({ kind: 'numbers', examples: 6 });
});

test('of a model with several outputs the one that is chosen is scored', async () => {
  const [one, other] = [linear(10), linear(10, 'Relu')];
  const { nodes, outputs } = other.graph;
  const renamed = (name: string) => (name === 'y' ? 'z' : name);
  const both = {
    graph: {
      ...one.graph,
      nodes: [
        ...one.graph.nodes,
        ...nodes.map((node) => ({ ...node, outputs: node.outputs.map(renamed) })),
      ],
      outputs: [...one.graph.outputs, { ...outputs[0]!, name: 'z' }],
    },
  };
  const source = noise(40, 10);
  const scored = (model: Model, output?: string) =>
    reportModel({ model: writeModel(model), source, output, head: 'auto' });
  await expect(scored(both)).rejects.toThrow('2 outputs, and one is trained: choose of y, z');
  await expect(scored(both, 'w')).rejects.toThrow('no output "w"');
  expect(await scored(both, 'z')).toEqual(await scored(other));
  expect(await scored(both, 'y')).toEqual(await scored(one));
});
