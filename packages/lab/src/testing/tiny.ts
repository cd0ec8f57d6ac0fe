import { GraphBuilder, tensorOf, writeModel } from '@starling/onnx';
import type { SourceInfo } from '@starling/trainer';
import type { LabData } from '../data/lab-data.ts';
import { generatorFor, normal } from '../random.ts';
import { type Settings, settingsSchema } from '../schema.ts';

/** Two clouds of points in the plane, float32 [count, 2], one class each. */
export function clouds(count: number, seed = 1): LabData {
  const generator = generatorFor('clouds', seed);
  const inputs = new Float32Array(2 * count);
  const targets = Int32Array.from({ length: count }, (_, i) => i % 2);
  for (let i = 0; i < count; i++) {
    const side = targets[i] === 1 ? 1 : -1;
    inputs[2 * i] = side + normal(generator) / 2;
    inputs[2 * i + 1] = -side + normal(generator) / 2;
  }
  const info: SourceInfo = {
    ...{ format: 'npy', count, shape: [2] },
    elements: { dtype: 'float32' },
    target: { kind: 'classes', count: 2, names: null },
  };
  const set = { info, examples: { count, inputs, targets } };
  return { task: 'clouds', train: set, test: set, ids: undefined };
}

/** Logistic regression from 2 numbers to 2 classes: weights [2, 2], then biases [2]. */
export function tinyModel(): Uint8Array {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [1, 2] });
  const w = builder.constant(tensorOf('float32', [2, 2], [0.1, -0.2, 0.3, 0.05]), 'w');
  const b = builder.constant(tensorOf('float32', [2], [0, 0]), 'b');
  const graph = builder.finish('tiny', [builder.add('Gemm', [x, w, b])]);
  const open = (values: typeof graph.inputs) =>
    values.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return writeModel({
    graph: { ...graph, inputs: open(graph.inputs), outputs: open(graph.outputs) },
  });
}

type Given = Parameters<typeof settingsSchema.parse>[0] & object;

/** Settings of a run over `clouds` with the tiny model. */
export const tinySettings = (given: Given = {}): Settings =>
  settingsSchema.parse({
    ...{ name: 'tiny', data: { set: 'clouds' }, model: 'tiny.onnx', clients: 6 },
    ...{ stop: { rounds: 3 } },
    ...given,
  });
