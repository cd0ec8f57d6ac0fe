import { createGenerator, zooModel } from '@starling/autodiff';
import { type Model, tensorOf, writeModel } from '@starling/onnx';
import { expect, test } from 'vitest';
import type { LabelledImages } from './dataset.ts';
import { reportModel } from './model-report.ts';
import { evaluateModel } from './scorer.ts';

function noise(count: number, classes: number): LabelledImages {
  const generator = createGenerator(1);
  const draw = (many: number, below: number) =>
    Uint8Array.from({ length: many }, () => generator.below(below));
  return { count, shape: [28, 28], images: draw(count * 784, 256), labels: draw(count, classes) };
}

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
  const data = noise(300, 10);
  const model = writeModel(zooModel('cnn', 3));
  const done: number[] = [];
  const report = await reportModel({ model, data, head: 'auto', onProgress: (n) => done.push(n) });
  const wanted = await evaluateModel(model, data);
  expect(report).toMatchObject({ kind: 'classes', accuracy: wanted.accuracy, examples: 300 });
  expect(Math.abs(report.loss - wanted.meanLoss)).toBeLessThan(1e-5 * wanted.meanLoss);
  expect(done).toEqual([256, 300]);
});

test('a model that ends in Softmax is read as probabilities', async () => {
  const data = noise(20, 3);
  const scores = await reportModel({ model: writeModel(linear(3)), data, head: 'auto' });
  const shares = await reportModel({ model: writeModel(linear(3, 'Softmax')), data, head: 'auto' });
  expect(shares).toMatchObject({
    accuracy: expect.closeTo((scores as { accuracy: number }).accuracy),
  });
  expect(shares.loss).toBeCloseTo(scores.loss, 4);
});

test('one output is a class of two, or a number', async () => {
  const model = writeModel(linear(1));
  expect(await reportModel({ model, data: noise(20, 2), head: 'auto' })).toMatchObject({
    ...{ kind: 'classes', confusion: [expect.any(Array), expect.any(Array)] },
  });
  const numbers = await reportModel({ model, data: noise(20, 9), head: 'auto' });
  expect(numbers).toMatchObject({ kind: 'numbers', examples: 20 });
  const forced = await reportModel({ model, data: noise(20, 2), head: 'numbers' });
  expect(forced.kind).toBe('numbers');
});

test('only the chosen examples count', async () => {
  const model = writeModel(linear(3));
  const indices = Int32Array.of(1, 5, 7);
  const report = await reportModel({ model, data: noise(20, 3), head: 'auto', indices });
  expect(report.examples).toBe(3);
});

test('what does not fit is said in numbers', async () => {
  const few = reportModel({ model: writeModel(linear(3)), data: noise(50, 9), head: 'auto' });
  await expect(few).rejects.toThrow('it has 3 outputs, and the data have labels up to 8');
  const many = reportModel({ model: writeModel(linear(3)), data: noise(9, 3), head: 'numbers' });
  await expect(many).rejects.toThrow('it has 3 outputs of shape [3], and numbers take one');
});
